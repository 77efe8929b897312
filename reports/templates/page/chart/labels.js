// Names beside the points of a chart, placed so that none lies on another, on a point, or beyond the frame.

const RINGS = [9, 16, 26, 38, 54, 74, 98, 126];
const SIDES = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1], [-1, 1]];
const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Boxes of labels, in the order of the points; null where no free place is near.
 *
 * points: {x, y, width, height} of a point and of its label; bounds: the frame. The fullest corners come first.
 */
function placeLabels(points, bounds, radius = 6) {
  const marks = points.map(({ x, y }) => ({ x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius }));
  const near = (point) => points.filter((other) => Math.hypot(other.x - point.x, other.y - point.y) < 60).length;
  const order = [...points.keys()].sort((a, b) => near(points[b]) - near(points[a]) || a - b);
  const boxes = Array(points.length).fill(null), taken = [];
  for (const number of order) {
    const { x, y, width, height } = points[number];
    search: for (const ring of RINGS) {
      for (const [across, down] of SIDES) {
        const reach = across && down ? ring * 0.71 : ring;
        const box = { x: x + across * reach - (across > 0 ? 0 : across < 0 ? width : width / 2),
          y: y + down * reach - (down > 0 ? 0 : down < 0 ? height : height / 2), width, height };
        const inside = box.x >= bounds.x && box.y >= bounds.y && box.x + width <= bounds.x + bounds.width
          && box.y + height <= bounds.y + bounds.height;
        if (!inside || marks.some((mark) => overlap(mark, box)) || taken.some((other) => overlap(other, box))) continue;
        taken.push(box);
        boxes[number] = { ...box, far: ring > RINGS[1] };
        break search;
      }
    }
  }
  return boxes;
}
