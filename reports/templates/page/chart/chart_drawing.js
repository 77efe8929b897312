// The chart as SVG with its own colours, so that a file of it looks as it does on the page.

const SVG = "http://www.w3.org/2000/svg";
function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const FONT = "system-ui, sans-serif";
const pen = document.createElement("canvas").getContext("2d");
function textWidth(text, size) {
  pen.font = `${size}px ${FONT}`;
  return pen.measureText(text).width;
}

/** Marks of the figures in papers: the same method has the same sign there. */
const MARKS = { o: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", s: "M-4.5 -4.5h9v9h-9z", "^": "M0 -5.5L5.5 4.5H-5.5z", D: "M0 -6L6 0L0 6L-6 0z",
  v: "M0 5.5L5.5 -4.5H-5.5z", P: "M-2 -5.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z", X: "M-5 -2.5L-2.5 -5L0 -2.5L2.5 -5L5 -2.5L2.5 0L5 2.5L2.5 5L0 2.5L-2.5 5L-5 2.5L-2.5 0z",
  h: "M0 -5.5L4.8 -2.7V2.7L0 5.5L-4.8 2.7V-2.7z" };

/** Round numbers that cover a range. */
function ticksOf(low, high, logarithmic, most) {
  if (logarithmic) {
    const decades = [];
    for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) decades.push(power);
    const marks = decades.length > 3 ? [1] : [1, 2, 5];
    return decades.flatMap((power) => marks.map((mark) => Math.log10(mark) + power)).filter((value) => value >= low && value <= high);
  }
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((each) => each * power >= raw) * power, ticks = [];
  for (let number = Math.ceil(low / step); number * step <= high + step * 1e-9; number += 1) ticks.push(number * step);
  return ticks;
}

/** From values to places along an axis: {place, ticks: [[place, text]]}. */
function axis(values, id, from, to, most) {
  const logarithmic = COSTS[id]?.[1] === "log", own = logarithmic ? Math.log10 : (value) => value;
  let low = Math.min(...values.map(own)), high = Math.max(...values.map(own));
  const room = (high - low || Math.abs(high) * 0.1 || 1) * 0.08;
  [low, high] = [low - room, high + room];
  const place = (value) => from + (own(value) - low) / (high - low) * (to - from);
  const text = (tick) => logarithmic ? short(10 ** tick) : String(+tick.toPrecision(6));
  return { place, ticks: ticksOf(low, high, logarithmic, most).map((tick) => [from + (tick - low) / (high - low) * (to - from), text(tick)]) };
}
const short = (value) => {
  const [unit, name] = [[1e9, " G"], [1e6, " M"], [1e3, " k"], [0, ""]].find(([least]) => value >= least);
  return `${+(unit ? value / unit : value).toPrecision(2)}${name}`;
};

/** The SVG, and how many names found no place. */
function chartElement(points, { across, up, bars, width, height }) {
  const [ink, soft, line, paper] = ["--ink", "--soft", "--line", "--paper"].map(colourOf);
  const size = width < 500 ? 11 : 13, frame = { x: width < 500 ? 46 : 60, y: 12 };
  Object.assign(frame, { width: width - frame.x - 12, height: height - frame.y - 46 });
  const svg = shape("svg", { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "font-family": FONT, "font-size": size,
    "aria-label": `${axisTitle(up)} over ${axisTitle(across)} of ${points.length} methods` });
  svg.append(shape("rect", { width, height, fill: paper }));
  if (!points.length) return { element: svg, left: 0 };
  const ends = (key) => points.flatMap((point) => (bars ? point[key].slice(0, 3) : [point[key][0]]).filter(Number.isFinite));
  const x = axis(ends("x"), across, frame.x, frame.x + frame.width, width < 500 ? 4 : 8);
  const y = axis(ends("y"), up, frame.y + frame.height, frame.y, 6);
  const foot = frame.y + frame.height;
  for (const [place, text] of x.ticks) {
    svg.append(shape("path", { d: `M${place} ${frame.y}V${foot}`, stroke: line }),
      shape("text", { x: place, y: foot + size + 4, "text-anchor": "middle", fill: soft }, text));
  }
  for (const [place, text] of y.ticks) {
    svg.append(shape("path", { d: `M${frame.x} ${place}h${frame.width}`, stroke: line }),
      shape("text", { x: frame.x - 6, y: place + size / 3, "text-anchor": "end", fill: soft }, text));
  }
  const middle = frame.y + frame.height / 2;
  svg.append(shape("text", { x: frame.x + frame.width / 2, y: height - 8, "text-anchor": "middle", fill: ink }, axisTitle(across)),
    shape("text", { x: size, y: middle, "text-anchor": "middle", fill: ink, transform: `rotate(-90 ${size} ${middle})` }, axisTitle(up)));
  const placed = points.map((point) => ({ x: x.place(point.x[0]), y: y.place(point.y[0]) }));
  const front = points.map((point, number) => [point.front, placed[number]]).filter(([is]) => is).map(([, place]) => place).sort((a, b) => a.x - b.x);
  if (front.length > 1) {
    svg.append(shape("polyline", { points: front.map((place) => `${place.x},${place.y}`).join(" "), fill: "none", stroke: soft, "stroke-dasharray": "4 4" }));
  }
  const boxes = placeLabels(placed.map((place, number) => ({ ...place, width: textWidth(points[number].method.name, size) + 2, height: size + 2 })), frame);
  points.forEach(({ method, x: own, y: other }, number) => {
    const place = placed[number], box = boxes[number], group = shape("g", { class: "point", tabindex: 0, role: "img", "data-method": method.name });
    const told = `${method.name}: ${saying(across, own)}; ${saying(up, other)}`;
    group.setAttribute("aria-label", told);
    group.dataset.tip = told;
    if (bars && Number.isFinite(own[1])) group.append(shape("path", { d: `M${x.place(own[1])} ${place.y}H${x.place(own[2])}`, stroke: method.colour, "stroke-opacity": 0.45, "stroke-width": 1.5 }));
    if (bars && Number.isFinite(other[1])) group.append(shape("path", { d: `M${place.x} ${y.place(other[1])}V${y.place(other[2])}`, stroke: method.colour, "stroke-opacity": 0.45, "stroke-width": 1.5 }));
    if (box?.far) {
      const end = { x: clamp(place.x, box.x, box.x + box.width), y: clamp(place.y, box.y, box.y + box.height) };
      group.append(shape("path", { d: `M${place.x} ${place.y}L${end.x} ${end.y}`, stroke: soft, "stroke-width": 0.7 }));
    }
    group.append(shape("path", { d: MARKS[method.marker], transform: `translate(${place.x} ${place.y})`, fill: method.colour, stroke: paper, class: "mark" }),
      shape("circle", { cx: place.x, cy: place.y, r: 14, fill: "transparent" })); // for fingers
    if (box) group.append(shape("text", { x: box.x + 1, y: box.y + size - 1, fill: ink, class: "label", stroke: paper, "stroke-width": 3, "paint-order": "stroke" }, method.name));
    svg.append(group);
  });
  return { element: svg, left: boxes.filter((box) => !box).length };
}

function saying(id, [value, low, high, count]) {
  if (id in COSTS) return `${axisTitle(id)} ${short(value)}`;
  const { title, digits } = metrics.get(id);
  const interval = Number.isFinite(low) ? ` (95 % interval ${written(low, digits)} to ${written(high, digits)}, n = ${count})` : "";
  return `${title} ${written(value, digits)}${interval}`;
}
