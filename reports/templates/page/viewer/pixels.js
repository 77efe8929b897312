// Pixels of versions: their images, differences to HR with a gain, error maps, and artifact maps over them.
// All is done by drawing, never by reading: pages that were opened from a disk may not read the files beside them.

const loaded = new Map();

/** The image of a view; calls back once when it has come. */
function imageOf(view, ready) {
  let image = loaded.get(view.src);
  if (!image) {
    image = new Image();
    image.decoding = "async";
    image.src = view.src;
    loaded.set(view.src, image);
    if (loaded.size > 64) loaded.delete(loaded.keys().next().value);
  }
  if (!image.complete) image.addEventListener("load", ready, { once: true });
  return image;
}
const isReady = (image) => image.complete && image.naturalWidth > 0;

function paper(width, height) {
  const canvas = create("canvas", { width, height }), context = canvas.getContext("2d");
  const draw = (mode, source) => {
    context.globalCompositeOperation = mode;
    if (typeof source === "string") { context.fillStyle = source; context.fillRect(0, 0, width, height); }
    else context.drawImage(source, 0, 0, width, height);
  };
  return { canvas, context, draw };
}

/** |one - other| times a gain (a power of two), at the size of the other. */
function difference(one, other, gain) {
  const { canvas, context, draw } = paper(other.naturalWidth, other.naturalHeight);
  context.imageSmoothingEnabled = one.naturalWidth >= other.naturalWidth; // LQ keeps its blocks
  draw("source-over", one);
  draw("difference", other);
  for (let factor = 1; factor < gain; factor *= 2) draw("lighter", canvas);
  return canvas;
}

/** The lightness of a difference from black over red and yellow to white: the map "hot" of three equal parts. */
function errorMap(one, other, gain) {
  const source = difference(one, other, 1), { width, height } = source, grey = paper(width, height);
  grey.draw("source-over", source);
  grey.draw("saturation", "#000");
  for (let factor = 1; factor < gain; factor *= 2) grey.draw("lighter", grey.canvas);
  const sum = paper(width, height);
  sum.draw("source-over", "#000");
  for (const [less, channel] of [["#000000", "#f00"], ["#555555", "#0f0"], ["#aaaaaa", "#00f"]]) {
    const part = paper(width, height); // three times what is left of the grey after this third: 1 - min(1, (1 - v) + less)
    part.draw("source-over", grey.canvas);
    part.draw("difference", "#fff");
    part.draw("lighter", less);
    part.draw("difference", "#fff");
    const third = paper(width, height);
    third.draw("source-over", part.canvas);
    third.draw("lighter", part.canvas);
    third.draw("lighter", part.canvas);
    third.draw("multiply", channel);
    sum.draw("lighter", third.canvas);
  }
  return sum.canvas;
}

/** An image in grey with an artifact map over it; in grey alone where it has none. */
function marked(image, map) {
  const { canvas, draw } = paper(image.naturalWidth, image.naturalHeight);
  draw("source-over", image);
  draw("saturation", "#000");
  if (map) draw("source-over", map);
  return canvas;
}

const computed = new Map();
const MAPS = ["LDL", "DeSRA"]; // names of layers that the page holds

/** What is drawn of a view in a layer: an image or a canvas; null until all of it has come. */
function drawable(view, views, layer, gain, ready) {
  const image = imageOf(view, ready);
  if (layer === "image") return isReady(image) ? image : null;
  const isMap = MAPS.includes(layer), map = view.layers[layer];
  const against = isMap ? map && imageOf({ src: map }, ready) : imageOf(layer === "between" ? views.other : views.hr, ready);
  if (!isReady(image) || (against && !isReady(against))) return null;
  const key = [layer, gain, image.src, against?.src].join(" ");
  if (!computed.has(key)) {
    if (computed.size >= 4) computed.delete(computed.keys().next().value);
    computed.set(key, isMap ? marked(image, against) : layer === "error" ? errorMap(image, against, gain) : difference(image, against, gain));
  }
  return computed.get(key);
}
