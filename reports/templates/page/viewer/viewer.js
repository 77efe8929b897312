// The viewer: which image and which two versions are compared, and how they are drawn.

const viewer = { size: { width: 0, height: 0 }, place: null, seen: false };

/** The picture of the state; the first one where a link names one that is not here. */
const picture = () => pictures.get(state.image) ?? data.pictures[0];

/** The two versions: those of the state, else the two best methods, else the method and HR. */
function sides() {
  const { views } = picture(), best = byRank().map((method) => views.find((view) => view.name === method.name)).filter(Boolean);
  const usual = best.length > 1 ? [best[1], best[0]] : [best[0] ?? views[0], views[views.length - 1]];
  const [left, right] = [state.left, state.right].map((name, number) => views.find((view) => view.name === name) ?? usual[number]);
  return { left, right, hr: views.find((view) => view.kind === "hr") };
}
const panes = () => panesOf(viewer.size, state.side, state.divide);
const ratio = () => devicePixelRatio || 1;
const paneAt = (x) => panes().find((pane) => state.side ? x >= pane.from && x <= pane.to : true) ?? panes()[0];
const isZoomed = () => state.zoom > 0 && viewOf(panes()[0], picture(), state, ratio()).scale > fitScale(panes()[0], picture()) * 1.001;

function viewOptions() {
  const many = picture().views;
  return many.filter((view) => view.kind !== "sr" || isShown(view.name) || [sides().left, sides().right].includes(view)).map((view) => [view.name, view.name]);
}

function refreshControls() {
  const { left, right } = sides(), options = viewOptions();
  at("image").value = pictureName(picture());
  fill(at("left"), options, left.name);
  fill(at("right"), options, right.name);
  const layer = layerNow();
  at("layer").value = layer;
  for (const option of at("layer").options) option.disabled = !layersNow().includes(option.value);
  at("gain").value = String(gainNow());
  at("gain-label").hidden = layer === "image" || MAPS.includes(layer);
  at("side").checked = state.side;
  at("left-tag").textContent = left.name;
  at("right-tag").textContent = right.name;
  for (const button of at("thumbnails").children) button.setAttribute("aria-pressed", String(button.dataset.picture === pictureName(picture())));
  refreshScale(layer);
}

/** What the colours of a layer mean. */
function refreshScale(layer) {
  const { more, less } = data.colours, scale = at("scale");
  const [low, colours, high] = { error: ["0", "", `${Math.round(255 / gainNow())} of 255`],
    LDL: ["no artifact", `linear-gradient(90deg, #888, ${more})`, "likeliest in this image"],
    DeSRA: ["less contrast than HR", `linear-gradient(90deg, ${less} 50%, ${more} 50%)`, "more"] }[layer] ?? ["", "", ""];
  scale.hidden = !high;
  scale.querySelector("i").style.background = colours;
  at("scale-least").textContent = low;
  at("scale-most").textContent = high;
}

/** What can be shown of this image, in the order of the select. */
function layersNow() {
  const { views } = picture();
  return ["image", ...(sides().hr ? ["difference", "error"] : []), "between", ...MAPS.filter((map) => views.some((view) => view.layers[map]))];
}
const layerNow = () => layersNow().includes(state.layer) ? state.layer : "image";
const gainNow = () => [1, 2, 4, 8, 16].includes(state.gain) ? state.gain : 4;

/** Ask for the next frame; many changes are drawn once. */
function redraw() {
  if (viewer.frame) return;
  viewer.frame = requestAnimationFrame(() => { viewer.frame = 0; draw(); });
}

function draw() {
  const { width, height } = viewer.size, canvas = at("canvas"), now = picture();
  if (!viewer.seen || !width) return;
  const own = ratio();
  if (canvas.width !== Math.round(width * own) || canvas.height !== Math.round(height * own)) {
    Object.assign(canvas, { width: Math.round(width * own), height: Math.round(height * own) });
  }
  const context = canvas.getContext("2d");
  const waiting = drawViewer(context, own);
  stageNote(waiting);
  const view = viewOf(panes()[0], now, state, own);
  at("percent").textContent = `${Math.round(view.scale * own * 100)} %`;
  const cut = clamp(state.divide, 0, 100);
  Object.assign(at("handle").style, { left: `${cut}%`, display: state.side ? "none" : "" });
  at("handle").setAttribute("aria-valuenow", String(Math.round(cut)));
  at("stage").style.touchAction = isZoomed() ? "none" : "pan-y";
  at("stage").classList.toggle("zoomed", isZoomed());
  canvas.dataset.drawn = waiting ? "" : [now.image, sides().left.name, sides().right.name, layerNow()].join(" ");
  placeCrops();
}

/** Draw both sides; true while an image of them is on its way. */
function drawViewer(context, own) {
  const now = picture(), { left, right, hr } = sides(), layer = layerNow();
  let waiting = false;
  context.setTransform(own, 0, 0, own, 0, 0);
  context.clearRect(0, 0, viewer.size.width, viewer.size.height);
  for (const pane of panes()) {
    const shown = pane.name === "left" ? left : right;
    const source = drawable(shown, { hr, other: shown === left ? right : left }, layer, gainNow(), redraw);
    if (!source) { waiting = true; continue; }
    const view = viewOf(pane, now, state, own), screen = view.scale * own;
    const pixels = (source.naturalWidth || source.width) / now.width; // of the source for a pixel of HR
    context.save();
    context.beginPath();
    context.rect(pane.from, 0, pane.to - pane.from, pane.height);
    context.clip();
    const enlarged = screen / pixels;
    context.imageSmoothingEnabled = enlarged < 1 || (enlarged < 2 && enlarged !== 1 && shown.kind !== "lq");
    context.imageSmoothingQuality = "high";
    context.drawImage(source, view.left, view.top, now.width * view.scale, now.height * view.scale);
    context.restore();
  }
  return waiting;
}

function stageNote(waiting) {
  const { left, right, hr } = sides(), broken = [left, right].find((view) => { const own = imageOf(view, redraw); return own.complete && !own.naturalWidth; });
  const bare = MAPS.includes(layerNow()) && [left, right].find((view) => view.kind !== "hr" && !view.layers[layerNow()]);
  const shown = imageOf(hr ?? right, redraw), reduced = shown.naturalWidth && shown.naturalWidth < picture().width;
  at("stage-note").textContent = broken ? `The file of ${broken.name} is not beside this page.` : waiting ? "Loading …"
    : reduced ? `This page holds the image reduced to ${shown.naturalWidth} × ${shown.naturalHeight}; pages of leaderboard have all ${picture().width} × ${picture().height} pixels.`
    : bare ? `${bare.name} has no artifact map.` : "";
}

/** Step through images or versions. */
function stepImage(by) {
  const names = [...pictures.keys()], place = names.indexOf(pictureName(picture()));
  change({ image: names[(place + by + names.length) % names.length] });
}
function stepVersion(side, by) {
  const names = viewOptions().map(([name]) => name), place = names.indexOf(sides()[side].name);
  change({ [side]: names[(place + by + names.length) % names.length] });
}

/** Show an image, and if given two versions of it; brings the viewer into view. */
function jumpTo(name, versions = {}) {
  change({ image: name, at: "gallery", ...versions });
  goTo("gallery");
}

function zoomBy(factor, px, py) {
  const pane = paneAt(px ?? 0), middle = [pane.x + pane.width / 2, pane.height / 2];
  change(zoomedAt(pane, picture(), state, ratio(), factor, px ?? middle[0], py ?? middle[1]));
}
function actualSize(px, py) {
  const pane = panes()[0], view = viewOf(pane, picture(), state, ratio());
  if (fitScale(pane, picture()) * ratio() >= 1) { // a small image is larger than that already
    return change(centred(pane, picture(), 1, ratio(), state.x, state.y));
  }
  zoomBy(1 / (view.scale * ratio()), px, py);
}

function wholeScreen(on = !at("viewer").classList.contains("whole")) {
  at("viewer").classList.toggle("whole", on);
  document.body.classList.toggle("covered", on);
  at("full").setAttribute("aria-pressed", String(on));
  if (on) at("viewer").requestFullscreen?.().catch(() => {}); // phones without it still get the whole window
  else if (document.fullscreenElement) document.exitFullscreen();
  at("stage").focus({ preventScroll: true });
}

function downloadView() {
  const { width, height } = viewer.size, own = ratio();
  const canvas = create("canvas", { width: width * own, height: height * own }), context = canvas.getContext("2d");
  drawViewer(context, own);
  const { left, right } = sides();
  context.font = "600 14px system-ui, sans-serif";
  const tag = (text, x) => {
    const room = context.measureText(text).width + 16;
    const place = x === 0 ? 8 : width - 8 - room;
    context.fillStyle = "rgb(0 0 0 / 60%)";
    context.fillRect(place, 8, room, 24);
    context.fillStyle = "#fff";
    context.fillText(text, place + 8, 25);
  };
  tag(left.name, 0);
  tag(right.name, 1);
  if (!state.side) { context.fillStyle = "#fff"; context.fillRect(width * state.divide / 100 - 1, 0, 2, height); }
  try {
    canvas.toBlob((blob) => save(`${picture().image} ${left.name} ${right.name}.png`, blob));
  } catch { // a page from a disk may show the files beside it, and not copy them
    tell("Browsers do not let a page from the disk save files beside it: serve the folder (python -m http.server) and open it from there.");
  }
}

function startViewer() {
  if (!data.pictures.length) return;
  at("gallery").hidden = false;
  fill(at("image"), [...pictures].map(([name, each]) => [name, pictureTitle(each)]));
  at("image").addEventListener("change", () => change({ image: at("image").value }));
  for (const side of ["left", "right"]) at(side).addEventListener("change", () => change({ [side]: at(side).value }));
  at("swap").addEventListener("click", () => change({ left: sides().right.name, right: sides().left.name }));
  at("layer").addEventListener("change", () => change({ layer: at("layer").value }));
  at("gain").addEventListener("change", () => change({ gain: +at("gain").value }));
  at("side").addEventListener("change", () => change({ side: at("side").checked }));
  at("zoom-in").addEventListener("click", () => zoomBy(1.5));
  at("zoom-out").addEventListener("click", () => zoomBy(1 / 1.5));
  at("fit").addEventListener("click", () => change({ zoom: 0, x: 0.5, y: 0.5 }));
  at("actual").addEventListener("click", () => actualSize());
  at("full").addEventListener("click", () => wholeScreen());
  at("viewer-png").addEventListener("click", downloadView);
  document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) wholeScreen(false); });
  if (data.pictures.length > 1 && data.pictures.every((each) => each.thumbnail)) {
    at("thumbnails").append(...[...pictures].map(([name, each]) => {
      const button = create("button", { type: "button", title: pictureTitle(each) }, create("img", { src: each.thumbnail, alt: pictureTitle(each) }));
      button.dataset.picture = name;
      button.addEventListener("click", () => change({ image: name }));
      return button;
    }));
  }
  startGestures();
  startBeside();
  startCrops();
  watch("image left right layer gain side find without families", refreshControls);
  watch("image left right layer gain side divide zoom x y find without families", redraw);
  new ResizeObserver(([{ contentRect }]) => {
    viewer.size = { width: contentRect.width, height: contentRect.height };
    redraw();
  }).observe(at("stage"));
  new IntersectionObserver((entries, observer) => { // full images wait until somebody looks
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    viewer.seen = true;
    redraw();
    showCrops();
  }, { rootMargin: "300px" }).observe(at("gallery"));
}
