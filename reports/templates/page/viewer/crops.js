// The same place of the image in every version, enlarged.

const CROP = 256; // pixels of the side of a crop that is not enlarged
const cropSide = () => CROP / clamp(state.crop, 1, 16);

/** Left and upper edge of the crops in pixels of the image. */
function cropCorner() {
  const now = picture(), place = viewer.place ?? state, side = cropSide();
  return [["x", "width"], ["y", "height"]].map(([axis, whole]) => clamp(place[axis] * now[whole] - side / 2, 0, Math.max(0, now[whole] - side)));
}

function showCrops() {
  if (!viewer.seen) return;
  const now = picture(), table = tables.get(tableName(now)), { left, right } = sides();
  const ids = data.metrics.map(({ metric }) => metric).filter((id) => table?.values[id] && !state.columns.includes(id));
  at("crops").replaceChildren(...now.views.filter((view) => view.kind !== "sr" || isShown(view.name)).map((view) => {
    const values = ids.map((id) => [id, valueOf(table, id, view.name, now.image)]).filter(([, value]) => view.kind === "sr" && !Number.isNaN(value))
      .map(([id, value]) => `${metrics.get(id).title} ${written(value, metrics.get(id).digits)}`).join(" · ");
    const crop = create("span", { className: "crop" });
    crop.style.backgroundImage = `url("${view.src}")`;
    const button = create("button", { type: "button", title: "Show on the right; with Shift on the left", className: view === left ? "left" : view === right ? "right" : "" },
      crop, create("b", { textContent: view.name }), create("small", { textContent: view.kind === "hr" ? "reference" : values }));
    button.addEventListener("click", (event) => change({ [event.shiftKey ? "left" : "right"]: view.name }));
    return button;
  }));
  placeCrops();
}

function placeCrops() {
  const now = picture(), [left, top] = cropCorner();
  const [w, h] = [cropSide() / now.width, cropSide() / now.height].map((share) => Math.min(share, 1));
  const part = (edge, whole, share) => share >= 1 ? 0 : 100 * edge / whole / (1 - share);
  for (const crop of at("crops").querySelectorAll(".crop")) {
    crop.style.backgroundSize = `${100 / w}% ${100 / h}%`;
    crop.style.backgroundPosition = `${part(left, now.width, w)}% ${part(top, now.height, h)}%`;
  }
}

function startCrops() {
  const zoomer = at("zoom");
  zoomer.addEventListener("input", () => change({ crop: +zoomer.value }));
  watch("crop", () => { zoomer.value = state.crop; placeCrops(); });
  watch("image left right find without families columns", showCrops);
}
