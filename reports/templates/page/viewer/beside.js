// Beside the viewer: values of its image in every method, and its spectra.

function startBeside() {
  watch("image left right find without families columns", () => {
    const now = picture(), table = tables.get(tableName(now));
    const ids = data.metrics.map(({ metric }) => metric).filter((id) => table?.values[id] && !state.columns.includes(id));
    const rows = now.views.filter((view) => view.kind === "sr" && isShown(view.name))
      .map((view) => ({ view, values: ids.map((id) => valueOf(table, id, view.name, now.image)) }));
    const best = ids.map((id, place) => {
      const own = rows.filter((row) => methods.get(row.view.name)?.family !== "reference").map((row) => sense(id) * row.values[place]).filter((value) => !Number.isNaN(value));
      return sense(id) && own.length > 1 ? Math.max(...own) : NaN;
    });
    at("beside").hidden = !rows.length;
    at("values").tHead.replaceChildren(create("tr", {}, create("th", { scope: "col", textContent: "This image" }),
      ...ids.map((id) => create("th", { scope: "col", className: "number", textContent: heading(id) }))));
    at("values").tBodies[0].replaceChildren(...rows.map(({ view, values }) => {
      const sidesOf = ["left", "right"].filter((side) => sides()[side] === view);
      const button = create("button", { type: "button", textContent: view.name, title: "Show on the right; with Shift on the left" });
      button.addEventListener("click", (event) => change({ [event.shiftKey ? "left" : "right"]: view.name }));
      const cells = values.map((value, place) => create("td", { textContent: written(value, metrics.get(ids[place]).digits),
        className: sense(ids[place]) * value === best[place] ? "number best" : "number" }));
      return create("tr", { className: sidesOf.join(" ") }, create("th", { scope: "row" }, button), ...cells);
    }));
    drawSpectra(now);
  });
}

function drawSpectra(now) {
  const figure = at("image-spectra"), own = Object.entries(now.spectra).filter(([name]) => isShown(name));
  figure.hidden = !own.length;
  figure.querySelector("svg")?.remove();
  figure.querySelector(".legend")?.remove();
  if (!own.length) return;
  const width = 360, height = 200, frame = { left: 34, right: 352, top: 8, foot: 170 };
  const all = own.flatMap(([, ratio]) => ratio), low = Math.floor(Math.max(Math.min(-5, ...all), -60) / 10) * 10, high = Math.ceil(Math.min(Math.max(5, ...all), 40) / 5) * 5;
  const x = (frequency) => frame.left + (Math.log10(frequency) + 2) / 2 * (frame.right - frame.left);
  const y = (value) => frame.top + (high - clamp(value, low, high)) / (high - low) * (frame.foot - frame.top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "spectrum", role: "img", "aria-label": "Power of SR over HR of this image" });
  for (const value of ticksOf(low, high, false, 5)) {
    svg.append(shape("path", { class: value === 0 ? "tick strong" : "tick", d: `M${frame.left} ${y(value)}H${frame.right}` }),
      shape("text", { x: frame.left - 5, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  for (const frequency of [0.01, 0.03, 0.1, 0.3, 1]) {
    svg.append(shape("path", { class: "tick", d: `M${x(frequency)} ${frame.top}V${frame.foot}` }), shape("text", { x: x(frequency), y: frame.foot + 14, "text-anchor": "middle" }, String(frequency)));
  }
  svg.append(shape("text", { x: (frame.left + frame.right) / 2, y: height - 2, "text-anchor": "middle" }, "frequency / Nyquist"));
  const pair = [sides().left.name, sides().right.name], strong = ([name]) => pair.includes(name);
  for (const entry of [...own.filter((each) => !strong(each)), ...own.filter(strong)]) {
    const [name, ratio] = entry, { colour, dashes } = methods.get(name);
    const line = shape("polyline", { points: ratio.map((value, place) => `${x(data.frequencies[place]).toFixed(1)},${y(value).toFixed(1)}`).join(" "), stroke: colour,
      "stroke-dasharray": dashes, "stroke-opacity": strong(entry) ? 1 : 0.25, style: `stroke-width:${strong(entry) ? 2.2 : 1.2}` });
    svg.append(shape("g", { "data-method": name }, shape("title", {}, name), line));
  }
  const key = ([name]) => {
    const line = create("i");
    line.style.borderColor = methods.get(name).colour;
    if (methods.get(name).dashes) line.style.borderTopStyle = "dashed";
    return create("span", {}, line, name);
  };
  figure.append(svg, create("div", { className: "legend" }, ...own.filter(strong).map(key)));
}
