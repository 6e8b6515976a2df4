"use strict";
(() => {
  const holder = document.getElementById("scenes");
  const data = holder && JSON.parse(holder.textContent);
  const stages = document.querySelectorAll(".stage");
  // one copy of the viewer serves all scenes: each frame gets it with its own scene before its last script
  const frameText = name => {
    const last = data.viewer.lastIndexOf("<script>");
    const script = "<script>window.packed = " + JSON.stringify(data.scenes[name]) + ";<\/script>";
    return data.viewer.slice(0, last) + script + data.viewer.slice(last);
  };
  const load = stage => {
    if (stage.dataset.scene !== "waiting") return;
    stage.dataset.scene = "loading";
    const frame = document.createElement("iframe");
    frame.title = stage.querySelector("img").alt;
    frame.tabIndex = -1;
    frame.srcdoc = frameText(stage.dataset.name);
    stage.insertBefore(frame, stage.querySelector("button"));
    let left = 300;  // half a minute; then the picture stays
    const timer = setInterval(() => {
      const root = frame.contentDocument && frame.contentDocument.documentElement;
      if (root && root.dataset.scene === "loaded") stage.dataset.scene = "loaded";
      if (stage.dataset.scene === "loaded" || --left === 0) clearInterval(timer);
    }, 100);
  };
  // a scene takes wheel and touch only once clicked, so that the page scrolls past it
  const activate = chosen => stages.forEach(stage => stage.classList.toggle("active", stage === chosen));
  const loadNear = () => stages.forEach(stage => {
    const box = stage.getBoundingClientRect();
    if (box.top < innerHeight + 200 && box.bottom > -200) load(stage);
  });
  for (const event of ["load", "scroll", "resize"]) addEventListener(event, loadNear, { passive: true });
  stages.forEach(stage => {
    stage.addEventListener("click", () => { load(stage); activate(stage); });
    stage.addEventListener("keydown", event => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Enter") { load(stage); activate(stage); return; }
      if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "=", "-", "Home"].includes(event.key)) return;
      event.preventDefault();
      load(stage);
      const frame = stage.querySelector("iframe");
      if (stage.dataset.scene === "loaded") frame.contentWindow.turn(event.key);
    });
    stage.addEventListener("mouseleave", event => event.buttons || activate(null));
  });
  // paper cannot be unfolded; the list of single failures stays away
  const folds = [...document.querySelectorAll("details:not(.screen)")];
  addEventListener("beforeprint", () => folds.forEach(fold => { fold.dataset.open = fold.open; fold.open = true; }));
  addEventListener("afterprint", () => folds.forEach(fold => { fold.open = fold.dataset.open === "true"; }));
  document.addEventListener("pointerdown", event => event.target.closest(".stage") || activate(null));
})();
