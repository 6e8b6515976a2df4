// The model of bench/plan/model.py and the interpolation of bench/plan/grid.py, for sliders.
"use strict";
const id = name => document.getElementById(name), mrad = Math.PI / 180 * 1e3, perNanocoulomb = 1e-9 / 1.602176634e-19;
const angles = [...new Set(plan.discs.map(d => d.angle))].sort((a, b) => a - b);
const radii = [...new Set(plan.discs.map(d => d.radius))].sort((a, b) => a - b);
const half = angle => Math.tan(angle * Math.PI / 360);

function corners(values, wanted) {
  if (values.length === 1) return [[values[0], 1]];
  let after = 1;
  while (after < values.length - 1 && values[after] < wanted) after++;
  const [low, high] = [values[after - 1], values[after]];
  const share = Math.min(1, Math.max(0, Math.log(wanted / low) / Math.log(high / low)));
  return [[low, 1 - share], [high, share]];
}

function between(angle, radius) {
  let total = 0, limit = 0, cnr = 0, share = 0, nearest = null, most = -1;
  for (const [a, across] of corners(angles, angle)) for (const [r, along] of corners(radii, radius)) {
    const disc = plan.discs.find(d => d.angle === a && d.radius === r), weight = across * along;
    if (!disc) continue;
    total += weight; limit += weight * Math.log(disc.limit_nm * half(a)); cnr += weight * Math.log(disc.cnr);
    share += weight * Math.log(disc.share);
    if (weight > most) { most = weight; nearest = disc; }
  }
  if (total < 1e-6) return null;
  return { limit: Math.exp(limit / total) / half(angle), cnr: Math.exp(cnr / total), share: Math.exp(share / total), nearest };
}

function expected(place, angle, dose) {
  const root = Math.sqrt(dose), m = plan.model, covered = plan.crowding / 0.03;
  const cnr = Math.log(place.cnr * root / 20), wide = Math.log(angle / 8), dense = Math.log(covered);
  const d = m.depth_nm.parameters, byLimit = Math.log(place.limit / root) + d[0] + d[1] * dense;
  const deep = d.length === 2 ? byLimit : d[0] - d[1] * cnr - d[2] * wide + d[3] * dense;
  const logistic = ({ parameters: c }) => c[0] + c[1] * cnr - c[2] * dense + c[3] * wide;
  const three = (middle, spread, back) => [0, -1, 1].map(s => back(middle + s * spread)), sigmoid = x => 1 / (1 + Math.exp(-x));
  return {
    limit_nm: place.limit / root,
    depth_nm: three(deep, m.depth_nm.spread, Math.exp),
    recall: three(logistic(m.recall), m.recall.spread, sigmoid),
    f_score: three(logistic(m.f_score), m.f_score.spread, sigmoid),
  };
}

const two = x => x >= 100 ? x.toFixed(0) : Number(x.toPrecision(2)).toString();
const brackets = (three, show) => `${show(three[0])} <small>${show(three[1])}–${show(three[2])}</small>`;

function exposure(dose) {
  const charge = dose * plan.pixel_nm ** 2 / perNanocoulomb * 1e6;
  const dwell = Math.max(plan.fastest_us, charge / plan.current_nA[1]), current = Math.max(plan.current_nA[0], charge / dwell);
  return { current, dwell, time: plan.pixels * dwell * 1e-6, least: charge / dwell < plan.current_nA[0] * (1 - 1e-9) };
}

function optics(angle, radius, cone) {
  const scale = 125 / Math.max(...plan.cones), x = 160, y = 195, turn = plan.kikuchi_rad;
  const at = s => [x + s * Math.cos(turn) * angle / 2 * mrad * scale, y + s * Math.sin(turn) * angle / 2 * mrad * scale];
  const t = Math.min(10 * angle * Math.PI / 360, 1.2), reach = 34 * Math.tan(t);
  const disc = ([cx, cy], colour) => `<circle cx="${cx}" cy="${cy}" r="${radius * scale}" fill="${colour}" fill-opacity=".45" stroke="${colour}"/>`;
  const shrink = Math.min(1, 95 / (cone * scale));
  id("optics").innerHTML = `<rect x="90" y="24" width="140" height="22" fill="none" stroke="var(--quiet)"/>` +
    `<text x="236" y="39">${plan.thickness_nm} nm</text>` +
    `<path d="M${160 - reach} 1 L${160 + reach} 69" stroke="#0072B2" fill="none"/><path d="M${160 + reach} 1 L${160 - reach} 69" stroke="#D55E00" fill="none"/>` +
    `<g transform="translate(${x} ${y}) scale(${shrink}) translate(${-x} ${-y})"><circle cx="${x}" cy="${y}" r="${cone * scale}" fill="none" stroke="var(--ink)"/>` +
    (plan.crystal ? `<path d="M${x - 150 * Math.cos(turn)} ${y - 150 * Math.sin(turn)} L${x + 150 * Math.cos(turn)} ${y + 150 * Math.sin(turn)}" stroke="#009E73" stroke-dasharray="5 3"/>` : "") +
    disc(at(1), "#0072B2") + disc(at(-1), "#D55E00") + `</g><text x="8" y="296">cone of ${cone} mrad</text>`;
}

let drawn = 0;
function image(disc, share, dose) {
  const picture = new Image(), mine = ++drawn, context = id("image").getContext("2d", { willReadFrequently: true });
  picture.onload = () => {
    if (mine !== drawn) return;
    const { width, height } = picture;
    Object.assign(id("image"), { width, height });
    context.drawImage(picture, 0, 0);
    const pixels = context.getImageData(0, 0, width, height), counts = dose * share * (plan.small_nm / width) ** 2;
    let state = 12345;
    const uniform = () => (state = (1103515245 * state + 12345) % 2147483648, (state + 1) / 2147483649);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const mean = disc.dark + (disc.bright - disc.dark) * pixels.data[i] / 255;
      const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
      const seen = mean + normal * Math.sqrt(Math.max(mean, 0) / counts), wide = Math.max(disc.bright - disc.dark, 4 / Math.sqrt(counts));
      pixels.data[i] = pixels.data[i + 1] = pixels.data[i + 2] = 255 * (0.5 + (seen - (disc.dark + disc.bright) / 2) / wide);
    }
    context.putImageData(pixels, 0, 0);
    context.fillStyle = "#fff"; context.fillRect(4, height - 6, 50 * width / plan.small_nm, Math.max(2, height / 60));
  };
  picture.src = "data:image/png;base64," + disc.image;
}

function curve(place, angle, dose) {
  const [low, high] = doses, ys = [], box = { l: 44, r: 330, t: 8, b: 236 }, n = 60;
  const points = [...Array(n + 1).keys()].map(i => { const d = low * (high / low) ** (i / n); return [d, expected(place, angle, d)]; });
  for (const [, e] of points) ys.push(e.depth_nm[1], e.depth_nm[2], e.limit_nm);
  const bottom = Math.max(Math.min(...ys), 0.05), top = Math.max(...ys);
  const x = d => box.l + (box.r - box.l) * Math.log(d / low) / Math.log(high / low);
  const y = v => box.b - (box.b - box.t) * Math.log(Math.max(v, bottom) / bottom) / Math.log(top / bottom);
  const path = of => points.map(([d, e], i) => `${i ? "L" : "M"}${x(d).toFixed(1)} ${y(of(e)).toFixed(1)}`).join("");
  const band = path(e => e.depth_nm[2]) + points.slice().reverse().map(([d, e]) => `L${x(d).toFixed(1)} ${y(e.depth_nm[1]).toFixed(1)}`).join("") + "Z";
  let text = `<path d="${band}" fill="#0072B2" fill-opacity=".2"/><path d="${path(e => e.depth_nm[0])}" stroke="#0072B2" stroke-width="2" fill="none"/>` +
    `<path d="${path(e => e.limit_nm)}" stroke="var(--ink)" stroke-dasharray="5 3" fill="none"/>` +
    `<path d="M${box.l} ${box.t}V${box.b}H${box.r}" stroke="var(--quiet)" fill="none"/>`;
  for (let d = Math.ceil(Math.log10(low)); d <= Math.log10(high); d++)
    text += `<path d="M${x(10 ** d)} ${box.b}v4" stroke="var(--quiet)"/><text x="${x(10 ** d)}" y="${box.b + 17}" text-anchor="middle">10<tspan dy="-4" font-size="8">${d}</tspan></text>`;
  for (const v of [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200]) if (v >= bottom && v <= top)
    text += `<path d="M${box.l} ${y(v)}h-4" stroke="var(--quiet)"/><text x="${box.l - 7}" y="${y(v) + 4}" text-anchor="end">${v}</text>`;
  const here = expected(place, angle, dose).depth_nm[0];
  text += `<circle cx="${x(dose)}" cy="${y(here)}" r="5" fill="var(--ink)"/><text x="${(box.l + box.r) / 2}" y="272" text-anchor="middle">dose (electrons/nm²)</text>` +
    `<text transform="translate(11 ${(box.t + box.b) / 2}) rotate(-90)" text-anchor="middle">scatter in depth (nm)</text>`;
  id("curve").innerHTML = text;
}

const doses = [100, 1e6];
const sliders = { angle: [angles[0], angles[angles.length - 1], plan.start.angle], radius: [radii[0], radii[radii.length - 1], plan.start.radius], dose: [2, 6, Math.log10(plan.start.dose)] };
for (const [name, [min, max, value]] of Object.entries(sliders)) Object.assign(id(name), { min, max, value });

function turned() {
  const angle = +id("angle").value, radius = +id("radius").value, dose = 10 ** +id("dose").value;
  id("angle-out").value = `${angle.toFixed(1)}°`; id("radius-out").value = `${radius.toFixed(1)} mrad`; id("dose-out").value = `${Number(dose.toPrecision(2))} electrons/nm²`;
  const reach = angle / 2 * mrad + radius, cone = Math.min(...plan.cones.filter(c => c >= reach * (1 - 1e-9))), place = between(angle, radius);
  const held = Number.isFinite(cone) && place !== null, told = [];
  if (!held) told.push(`no cone of this microscope holds these discs, which reach ${reach.toFixed(0)} mrad`);
  if (angle * mrad < 2 * radius) told.push("the discs overlap and share their noise");
  const shot = exposure(dose);
  if (shot.least) told.push(`the least current already gives more: ${two(shot.current)} nA for ${two(shot.dwell)} µs`);
  const e = held ? expected(place, angle, dose) : null, share = x => x.toFixed(2);
  id("n-recall").innerHTML = e ? brackets(e.recall, share) : "–"; id("n-depth").innerHTML = e ? brackets(e.depth_nm, two) : "–";
  id("n-f").innerHTML = e ? brackets(e.f_score, share) : "–"; id("n-limit").textContent = e ? two(e.limit_nm) : "–";
  id("n-time").textContent = two(shot.time); id("n-current").textContent = two(shot.current);
  id("told").textContent = told.length ? `Mind: ${told.join("; ")}.` : "";
  optics(angle, radius, Number.isFinite(cone) ? cone : Math.max(...plan.cones));
  if (held) { image(place.nearest, place.share, dose); curve(place, angle, dose); }
  document.body.dataset.expected = e ? JSON.stringify(e) : "";
}
for (const name of Object.keys(sliders)) id(name).addEventListener("input", turned);
turned();
