// Geometry of the viewer: where a pixel of the image lies on the stage. Nothing here touches the page.

const MOST_ZOOM = 64;
const GAP = 4;

/** Parts of the stage: each has a side, its frame, and the stretch of it that is drawn. */
function panesOf({ width, height }, side, divide) {
  if (side) {
    const half = (width - GAP) / 2;
    return [["left", 0], ["right", half + GAP]].map(([name, x]) => ({ name, x, width: half, height, from: x, to: x + half }));
  }
  const cut = width * divide / 100;
  return [{ name: "left", x: 0, width, height, from: 0, to: cut }, { name: "right", x: 0, width, height, from: cut, to: width }];
}

const fitScale = (pane, picture) => Math.min(pane.width / picture.width, pane.height / picture.height);

/** Scale and place of an image in a pane; zoom is in screen pixels of a pixel, 0: the whole image. */
function viewOf(pane, picture, { zoom, x, y }, ratio) {
  const scale = zoom > 0 ? zoom / ratio : fitScale(pane, picture);
  const along = (centre, whole, room) => whole * scale <= room ? (room - whole * scale) / 2
    : clamp(room / 2 - centre * whole * scale, room - whole * scale, 0);
  const snap = (place) => Math.round(place * ratio) / ratio; // pixels of the image lie on pixels of the screen
  return { scale, left: snap(pane.x + along(x, picture.width, pane.width)), top: snap(along(y, picture.height, pane.height)) };
}

/** The share of the image under a place of the stage. */
const shareAt = (view, picture, x, y) => [(x - view.left) / (picture.width * view.scale), (y - view.top) / (picture.height * view.scale)];

/** Zoom and middle after zooming by a factor so that what is under (px, py) stays there. */
function zoomedAt(pane, picture, now, ratio, factor, px, py) {
  const view = viewOf(pane, picture, now, ratio), least = fitScale(pane, picture) * ratio;
  const zoom = Math.min(view.scale * ratio * factor, Math.max(MOST_ZOOM, least));
  if (zoom <= least * 1.001) return { zoom: 0, x: 0.5, y: 0.5 };
  const [x, y] = shareAt(view, picture, px, py), scale = zoom / ratio;
  return centred(pane, picture, zoom, ratio, x + (pane.x + pane.width / 2 - px) / (picture.width * scale), y + (pane.height / 2 - py) / (picture.height * scale));
}

/** The same with its middle where the image still fills the pane. */
function centred(pane, picture, zoom, ratio, x, y) {
  const inside = (centre, whole, room) => {
    const half = room / (whole * zoom / ratio) / 2;
    return half >= 0.5 ? 0.5 : clamp(centre, half, 1 - half);
  };
  return { zoom, x: inside(x, picture.width, pane.width), y: inside(y, picture.height, pane.height) };
}
