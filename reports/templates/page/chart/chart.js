// A chart of any two metrics, perception against distortion: what is drawn, and its downloads.

const COSTS = { seconds: ["Time of an image [s]", "log"], memory: ["Memory [bytes]", "log"],
  macs: ["MACs of an image", "log"], activations: ["Activations of an image", "log"], parameters: ["Parameters", "log"], steps: ["Steps", "log"] };
const axisTitle = (id) => COSTS[id]?.[0] ?? heading(id);

/** Value, low and high of a method on an axis; NaN where it has none. */
function onAxis(table, id, method) {
  if (id in COSTS) return [real(table.costs[method]?.[id]), NaN, NaN, NaN];
  return (table.means[id]?.[method] ?? [null, null, null, null]).map(real);
}

/** Axes that a table can have: metrics of at least one method, then costs. */
function axesOf(table) {
  const known = data.metrics.map((metric) => metric.metric).filter((id) => Object.keys(table.means[id] ?? {}).length);
  const costs = Object.keys(COSTS).filter((id) => Object.values(table.costs).some((own) => own[id] > 0));
  return [...known, ...costs];
}

/** Distortion across and perception up, as papers draw them; else the first two. */
function usualAxes(axes) {
  const first = (wanted) => wanted.map((part) => axes.find((id) => id.startsWith(part))).find(Boolean);
  const across = first(["psnr", "ssim"]) ?? axes[0];
  const up = first(["lpips", "dists", "musiq", "maniqa", "clipiqa", "niqe", "lsd"].filter((part) => !across.startsWith(part)))
    ?? axes.find((id) => id !== across) ?? across;
  return [across, up];
}

/** In words, to which side of the chart the better methods are. */
function betterSide(across, up) {
  const [right, high] = [across, up].map((id) => id in COSTS ? -1 : sense(id));
  const words = [right > 0 ? "right" : right < 0 ? "left" : "", high > 0 ? "up" : high < 0 ? "down" : ""].filter(Boolean);
  return words.length ? `Better: ${words.join(" and ")}.` : "";
}

/** Points of the chart, and whether nobody is better in both (no such line where a metric has no direction). */
function pointsOf(table, across, up) {
  const points = shownMethods().map((method) => ({ method, x: onAxis(table, across, method.name), y: onAxis(table, up, method.name) }))
    .filter(({ x, y }) => Number.isFinite(x[0]) && Number.isFinite(y[0])
      && (!(across in COSTS) || x[0] > 0) && (!(up in COSTS) || y[0] > 0));
  const [right, high] = [across, up].map((id) => id in COSTS ? -1 : sense(id));
  const beats = (a, b) => right * (a.x[0] - b.x[0]) >= 0 && high * (a.y[0] - b.y[0]) >= 0
    && (a.x[0] !== b.x[0] || a.y[0] !== b.y[0]);
  const isReference = (point) => point.method.family === "reference";
  for (const point of points) {
    point.front = right !== 0 && high !== 0 && !isReference(point)
      && !points.some((other) => !isReference(other) && beats(other, point));
  }
  return points;
}

function startChart() {
  const usable = [...tables].filter(([, table]) => axesOf(table).length > 1);
  if (!usable.length) return;
  const [chooser, across, up, bars] = ["chart-table", "across", "up", "chart-intervals"].map(at);
  at("scatter").hidden = false;
  fill(chooser, usable.map(([name, table]) => [name, tableTitle(table)]));
  chooser.addEventListener("change", () => change({ chart: chooser.value }));
  across.addEventListener("change", () => change({ across: across.value }));
  up.addEventListener("change", () => change({ up: up.value }));
  bars.addEventListener("change", () => change({ bars: bars.checked }));
  let drawn = null;
  const draw = () => {
    if (tables.has(state.chart)) chooser.value = state.chart;
    if (!chooser.value) chooser.selectedIndex = 0;
    const table = tables.get(chooser.value), axes = axesOf(table), usual = usualAxes(axes);
    const pairs = axes.map((id) => [id, axisTitle(id)]);
    fill(across, pairs, axes.includes(state.across) ? state.across : usual[0]);
    fill(up, pairs, axes.includes(state.up) ? state.up : usual[1]);
    bars.checked = state.bars;
    const points = pointsOf(table, across.value, up.value);
    const width = clamp(at("chart").clientWidth, 280, 1500), height = clamp(width * 0.62, 300, 640);
    const front = points.length > 1 ? points.filter((point) => point.front) : [];
    drawn = { table, points, width, height };
    const { element, left } = chartElement(points, { across: across.value, up: up.value, bars: state.bars, width, height });
    at("chart").replaceChildren(element);
    at("chart-note").textContent = [
      betterSide(across.value, up.value),
      front.length > 1 ? "The dashed line joins the methods that none beats in both." : front.length ? `${front[0].method.name} beats all others in both.` : "",
      left ? `${left} names have no free place: point at their marks.` : "",
      points.length ? "" : "No method that is shown has both values.",
    ].filter(Boolean).join(" ");
  };
  watch("chart across up bars find without families", draw);
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(at("chart").clientWidth - width) > 1) { width = at("chart").clientWidth; draw(); }
  }).observe(at("chart"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  for (const button of document.querySelectorAll("[data-chart]")) {
    button.addEventListener("click", () => downloadChart(button.dataset.chart, drawn, `${tableTitle(drawn.table)} ${across.value} ${up.value}`));
  }
}

function downloadChart(kind, { points, width, height }, name) {
  if (kind === "csv") {
    const ends = (id) => [axisTitle(id), `${axisTitle(id)} low`, `${axisTitle(id)} high`];
    const rows = points.map(({ method, x, y }) => [method.name, ...x.slice(0, 3), ...y.slice(0, 3)]);
    return save(`${name}.csv`, plainCsv([["method", ...ends(at("across").value), ...ends(at("up").value)], ...rows]), "text/csv");
  }
  const text = new XMLSerializer().serializeToString(at("chart").querySelector("svg"));
  if (kind === "svg") return save(`${name}.svg`, text, "image/svg+xml");
  const picture = new Image(), canvas = create("canvas", { width: 2 * width, height: 2 * height });
  picture.addEventListener("load", () => {
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(`${name}.png`, blob));
  });
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}
