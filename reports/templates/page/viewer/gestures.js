// Hands on the viewer: the divider and the image are dragged, wheel and two fingers zoom, keys do all of it too.

const GRAB = 22; // pixels beside the divider that take hold of it
const KEYS = [
  ["← → ↑ ↓", "move the enlarged image; the divider where the whole image is shown"], ["Shift ← →", "move the divider"],
  ["+ −", "zoom"], ["0", "the whole image"], ["1", "a pixel of the image is a pixel of the screen"],
  ["F", "full screen"], ["D", "pixels, difference to HR, error map, left − right, artifact maps of LDL and DeSRA"], ["G", "gain of differences"],
  ["B", "flip between left and right"], ["S", "swap left and right"], ["2", "side by side"],
  ["N P", "next, previous image"], ["J K", "next, previous version on the right; with Shift on the left"], ["?", "this sheet"],
];

function divideAt(x) { change({ divide: clamp(100 * x / viewer.size.width, 0, 100) }); }
function pan(across, down) {
  const pane = panes()[0], scale = viewOf(pane, picture(), state, ratio()).scale;
  change(centred(pane, picture(), state.zoom, ratio(), state.x - across / (picture().width * scale), state.y - down / (picture().height * scale)));
}

function startGestures() {
  const stage = at("stage"), fingers = new Map();
  let what = "", moved = false, begin = null, scrolled = 0;
  const placeOf = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - stage.clientLeft, y: event.clientY - box.top - stage.clientTop };
  };
  const overDivider = (x) => !state.side && Math.abs(x - viewer.size.width * state.divide / 100) < GRAB;
  const spread = () => {
    const [one, other] = [...fingers.values()];
    return { reach: Math.hypot(one.x - other.x, one.y - other.y), x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    const place = placeOf(event);
    fingers.set(event.pointerId, place);
    stage.setPointerCapture(event.pointerId);
    moved = false;
    begin = place;
    what = fingers.size > 1 ? "pinch" : overDivider(place.x) || (!isZoomed() && !state.side) ? "divide" : "pan";
    at("lens").hidden = true;
  });
  stage.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    if (!fingers.has(event.pointerId)) return hover(place, event.pointerType, overDivider(place.x));
    const before = fingers.get(event.pointerId);
    if (!moved && Math.hypot(place.x - begin.x, place.y - begin.y) < 4 && what !== "pinch") return;
    moved = true;
    if (what === "pinch" && fingers.size === 2) {
      const old = spread();
      fingers.set(event.pointerId, place);
      const now = spread();
      zoomBy(now.reach / Math.max(old.reach, 1), old.x, old.y);
      if (isZoomed()) pan(now.x - old.x, now.y - old.y);
      return;
    }
    fingers.set(event.pointerId, place);
    if (what === "divide") divideAt(place.x);
    else if (what === "pan" && isZoomed()) pan(place.x - before.x, place.y - before.y);
  });
  const end = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && !moved) hover(placeOf(event), "tap");
    if (fingers.size === 1) what = isZoomed() ? "pan" : "divide";
    if (!fingers.size) what = "";
  };
  for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, end);
  stage.addEventListener("pointerleave", () => {
    if (fingers.size) return;
    viewer.place = null;
    at("lens").hidden = true;
    placeCrops();
  });
  stage.addEventListener("dblclick", (event) => {
    const { x, y } = placeOf(event), pane = paneAt(x);
    if (isZoomed()) return change({ zoom: 0, x: 0.5, y: 0.5 });
    const now = fitScale(pane, picture()) * ratio();
    zoomBy((now < 1 ? 1 : Math.ceil(now) * 2) / now, x, y);
  });
  addEventListener("scroll", () => { scrolled = performance.now(); }, { passive: true });
  stage.addEventListener("wheel", (event) => {
    // A page that is being scrolled goes on scrolling, and so it does where nothing is left to shrink.
    const running = performance.now() - scrolled < 300 && !event.ctrlKey && !at("viewer").classList.contains("whole");
    if (running || (event.deltaY > 0 && !isZoomed() && !event.ctrlKey)) return;
    event.preventDefault();
    const amount = event.deltaY * (event.deltaMode ? 16 : 1) * (event.ctrlKey ? 0.01 : 0.002), place = placeOf(event);
    zoomBy(Math.exp(-clamp(amount, -1, 1)), place.x, place.y);
  }, { passive: false });
  at("viewer").addEventListener("keydown", keys);
}

/** The place under a pointer is what the crops show; a frame on the stage tells it. */
function hover({ x, y }, kind, held = false) {
  at("stage").classList.toggle("held", held);
  const pane = paneAt(x), view = viewOf(pane, picture(), state, ratio()), [across, down] = shareAt(view, picture(), x, y);
  viewer.place = across < 0 || across > 1 || down < 0 || down > 1 ? null : { x: across, y: down };
  const lens = at("lens"), side = cropSide(), now = picture();
  lens.hidden = !viewer.place || (kind !== "mouse" && kind !== "tap");
  const [left, top] = cropCorner();
  Object.assign(lens.style, { left: `${view.left + left * view.scale}px`, top: `${view.top + top * view.scale}px`,
    width: `${Math.min(side, now.width) * view.scale}px`, height: `${Math.min(side, now.height) * view.scale}px` });
  placeCrops();
}

function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const inField = event.target.matches("select, input, textarea");
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === "Escape" && at("viewer").classList.contains("whole")) return wholeScreen(false);
  if (inField) return;
  if (arrow) {
    if (!event.target.closest("#stage")) return;
    const divides = event.shiftKey || event.target.id === "handle" || !isZoomed();
    if (divides && !arrow[0]) return;
    event.preventDefault();
    if (divides) change({ divide: clamp(state.divide + 2 * arrow[0], 0, 100) });
    else pan(-40 * arrow[0], -40 * arrow[1]);
    return;
  }
  const next = (list, now) => list[(list.indexOf(now) + 1) % list.length];
  const does = {
    "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), "0": () => change({ zoom: 0, x: 0.5, y: 0.5 }), "1": () => actualSize(),
    "2": () => change({ side: !state.side }), f: () => wholeScreen(), d: () => change({ layer: next(layersNow(), layerNow()) }),
    g: () => change({ gain: next([1, 2, 4, 8, 16], gainNow()) }), b: () => change({ divide: state.divide < 50 ? 100 : 0 }),
    s: () => at("swap").click(), n: () => stepImage(1), p: () => stepImage(-1),
    j: () => stepVersion(event.shiftKey ? "left" : "right", 1), k: () => stepVersion(event.shiftKey ? "left" : "right", -1),
  }[event.key.toLowerCase()];
  if (!does) return;
  event.preventDefault();
  does();
}
