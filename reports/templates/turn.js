// Of a scene that is turned in a browser: ticks, scale of colours and keys. The rules are those of reports/axes.py.
"use strict";
(() => {
  const packed = window.packed, turns = location.hash === "#turning";
  if (!packed) return;
  const layer = document.createElement("div");
  layer.style.cssText = "position:fixed;inset:0;pointer-events:none;font:12px system-ui,sans-serif;color:#1c1f23";
  document.documentElement.append(layer);  // not in the body, which the viewer empties
  let renderer, camera, home;

  const project = point => {
    const [x, y] = renderer.worldToNormalizedDisplay(...point, innerWidth / innerHeight);
    return [x * innerWidth, (1 - y) * innerHeight];
  };
  const ticks = (low, high, most) => {
    const least = (high - low) / Math.max(most, 1), decade = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 2.5, 5, 10].map(f => f * decade).find(s => s >= least * (1 - 1e-9));
    const values = [];
    for (let n = Math.ceil(low / step - 1e-6); n <= Math.floor(high / step + 1e-6); n++) values.push(n * step);
    return values.length > 2 ? values : [low, high];
  };
  const texts = values => {
    if (values.length < 3) return values.map(v => `${+v.toPrecision(4)}`.replace("-", "−"));
    const step = Math.abs(values[1] - values[0]);
    let digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    if (Math.abs(+step.toFixed(Math.min(digits, 20)) - step) > 1e-6 * step) digits++;
    const large = Math.max(...values.map(Math.abs)) >= 1e5 || digits > 4;
    return values.map(v => (large ? `${+v.toPrecision(4)}` : (v || 0).toFixed(digits)).replace("-", "−"));
  };
  const add = (css, text = "") => {
    const part = document.createElement("div");
    part.style.cssText = "position:absolute;white-space:pre;line-height:1;" + css;
    part.textContent = text;
    layer.append(part);
    return part;
  };
  const letters = () => {
    layer.style.fontSize = innerWidth < 450 ? "10px" : "12px";
    layer.replaceChildren();
    if (packed.box) axes(...packed.box);
    if (packed.bar) bar(packed.bar);
  };
  const axes = (low, high) => {
    const used = [], size = Math.max(innerWidth, innerHeight);
    const write = (text, at, out) => {
      const part = add("", text), half = [part.offsetWidth / 2, part.offsetHeight / 2];
      const away = 8 + Math.abs(out[0]) * half[0] + Math.abs(out[1]) * half[1];
      const [x, y] = [at[0] + out[0] * away, at[1] + out[1] * away];
      const box = [x - half[0] - 3, y - half[1] - 3, x + half[0] + 3, y + half[1] + 3];
      if (used.some(b => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) {
        part.remove();
        return 0;
      }
      used.push(box);
      part.style.left = x - half[0] + "px";
      part.style.top = y - half[1] + "px";
      return 2 * away - 8;
    };
    const mid = k => (low[k] + high[k]) / 2;
    for (const axis of [2, 0, 1]) {
      const [p, q] = [0, 1, 2].filter(k => k !== axis), candidates = [];
      for (const a of [low, high]) for (const b of [low, high]) {
        const start = [...low], end = [...high];
        start[p] = end[p] = a[p];
        start[q] = end[q] = b[q];
        candidates.push([start, project(start), project(end)]);
      }
      const along = [0, 1].map(i => candidates.reduce((sum, [, s, e]) => sum + e[i] - s[i], 0) / 4);
      const length = Math.hypot(...along);
      if (length < 0.04 * size) continue;
      let out = [-along[1] / length, along[0] / length];
      if (-0.5 * out[0] + out[1] <= 0) out = out.map(v => -v);
      const far = ([, s, e]) => (s[0] + e[0]) * out[0] + (s[1] + e[1]) * out[1];
      const [start, s, e] = candidates.reduce((best, one) => far(one) > far(best) ? one : best);
      const room = (48 * Math.abs(along[0]) + 30 * Math.abs(along[1])) / length;
      const most = Math.max(3, Math.min(6, Math.floor(Math.hypot(e[0] - s[0], e[1] - s[1]) / room)));
      const values = ticks(low[axis], high[axis], most), names = texts(values);
      let reach = 0;
      const order = [...values.keys()];  // the ends first, where not all have room
      order.push(...order.splice(1).reverse());
      order.forEach(i => {
        const at = project(start.map((v, k) => k === axis ? values[i] : v));
        const angle = Math.atan2(out[1], out[0]);
        add(`left:${at[0]}px;top:${at[1]}px;width:5px;height:1px;background:#666;transform-origin:0 0;transform:rotate(${angle}rad)`);
        reach = Math.max(reach, write(names[i], at, out));
      });
      const middle = project(start.map((v, k) => k === axis ? mid(k) : v));
      write("xyz"[axis] + " (nm)", middle.map((v, i) => v + out[i] * (reach + 4)), out);
    }
  };
  const bar = ({ title, colours, limits: [low, high], mark }) => {
    const height = Math.min(0.6 * innerHeight, 300), top = (innerHeight - height) / 2;
    const place = value => top + height * (1 - (value - low) / (high > low ? high - low : 1));
    add(`right:10px;top:${top - 22}px`, title);
    add(`right:48px;top:${top}px;width:13px;height:${height}px;outline:1px solid #666;` +
        `background:linear-gradient(to top,${colours.join()})`);
    const values = ticks(low, high, Math.max(1, Math.min(6, Math.floor(height / 35)))), names = texts(values);
    values.forEach((value, i) => {
      add(`right:43px;top:${place(value)}px;width:5px;height:1px;background:#666`);
      add(`left:calc(100% - 40px);top:${place(value) - 6}px`, names[i]);
    });
    if (mark === null || mark < low || mark > high) return;
    add(`right:48px;top:${place(mark) - 1}px;width:13px;height:2px;background:#000;outline:1px solid #fff`);
    add(`right:66px;top:${place(mark) - 6}px`, "limit");
  };
  const corners = () => [0, 1, 2, 3, 4, 5, 6, 7].map(n => [0, 1, 2].map(k => packed.box[n >> k & 1][k]));
  const rims = () => {
    const [low, high] = packed.box, radius = Math.hypot(high[0] - low[0], high[1] - low[1]) / 2;
    const round = [...Array(24).keys()].map(n => n * Math.PI / 12);
    return [low[2], high[2]].flatMap(z => round.map(a => [
      (low[0] + high[0]) / 2 + radius * Math.cos(a), (low[1] + high[1]) / 2 + radius * Math.sin(a), z]));
  };
  // the box and its letters fill the window, whatever its shape; of one that turns, however it stands
  const fit = () => {
    if (!packed.box) return;
    const small = innerWidth < 450;  // px for letters
    const [left, right, top, bottom] = [small ? 70 : 90, packed.bar ? 95 : 25, small ? 45 : 20, 60];
    for (let turn = 0; turn < 4; turn++) {
      const x = [], y = [];
      for (const corner of turns ? rims() : corners()) {
        const at = project(corner);
        x.push(at[0]);
        y.push(at[1]);
      }
      const [x0, x1, y0, y1] = [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
      const [wide, tall] = [Math.max(innerWidth - left - right, 60), Math.max(innerHeight - top - bottom, 60)];
      const [across, up] = camera.getWindowCenter();
      camera.setWindowCenter(across + (x0 + x1 - 2 * left - wide) / innerWidth, up - (y0 + y1 - 2 * top - tall) / innerHeight);
      camera.zoom(1 / Math.max((x1 - x0) / wide, (y1 - y0) / tall, 1e-3));
    }
  };
  const show = () => {
    renderer.resetCameraClippingRange();
    renderer.updateLightsGeometryToFollowCamera();
    window.global.renderWindow.render();
    letters();
  };
  const moves = {
    ArrowLeft: () => camera.azimuth(6), ArrowRight: () => camera.azimuth(-6), ArrowUp: () => camera.elevation(-6),
    ArrowDown: () => camera.elevation(6), "+": () => camera.zoom(1.1), "=": () => camera.zoom(1.1),
    "-": () => camera.zoom(1 / 1.1), Home: () => camera.set(home),
  };
  // turn by a key; whether it is one that turns
  window.turn = key => {
    if (!camera || !moves[key]) return false;
    moves[key]();
    camera.orthogonalizeViewUp();
    show();
    return true;
  };
  addEventListener("keydown", event => {
    if (!event.ctrlKey && !event.altKey && !event.metaKey && window.turn(event.key)) event.preventDefault();
  });
  // of FILE.html#turning: once round in a minute about the beam, while it is on screen, until it is touched
  const turning = () => {
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let seen = false, touched = false, running = false, before = 0;
    const wanted = () => seen && !touched && !still.matches;
    const step = now => {
      running = wanted();
      if (!running) return;
      requestAnimationFrame(step);
      if (now - before < 40) return;
      const angle = 2 * Math.PI * Math.min(now - before, 100) / 60000, [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const turned = ([x, y, z]) => [cos * x - sin * y, sin * x + cos * y, z];
      const middle = camera.getFocalPoint(), away = turned(camera.getPosition().map((v, i) => v - middle[i]));
      camera.set({ position: away.map((v, i) => v + middle[i]), viewUp: turned(camera.getViewUp()) });
      before = now;
      show();
    };
    const begin = () => {
      if (running || !wanted()) return;
      running = true;
      requestAnimationFrame(step);
    };
    for (const kind of ["pointerdown", "wheel", "keydown"]) {
      addEventListener(kind, () => { touched = true; }, { capture: true, passive: true });
    }
    still.addEventListener("change", begin);
    new IntersectionObserver(([entry]) => {
      seen = entry.isIntersecting;
      begin();
    }).observe(document.documentElement);
  };
  window.loadDataSet = () => {
    OfflineLocalView.load(document.body, { base64Str: packed.base64Str });
    const timer = setInterval(() => {
      const found = window.global.renderWindow.getRenderers().find(r => r.getActors().length);
      if (!found) return;
      clearInterval(timer);
      [renderer, camera] = [found, found.getActiveCamera()];
      fit();
      home = { position: camera.getPosition(), focalPoint: camera.getFocalPoint(), viewUp: camera.getViewUp(),
               viewAngle: camera.getViewAngle() };
      show();
      camera.onModified(() => requestAnimationFrame(letters));
      addEventListener("resize", () => { fit(); show(); });
      if (turns) turning();
      document.documentElement.dataset.scene = "loaded";
    }, 50);
  };
})();
