// Every image in one table: methods as columns, sorted by any of them; a name leads to the viewer.

const CHUNK = 100; // rows that are written at once

/** Rows of a long table, the first ones at once and the others on request. */
function longTable(table, more, heads, rows, rowOf) {
  table.tHead.replaceChildren(create("tr", {}, ...heads));
  table.tBodies[0].replaceChildren(...rows.slice(0, CHUNK).map(rowOf));
  more.hidden = rows.length <= CHUNK;
  more.onclick = () => {
    const from = table.tBodies[0].rows.length;
    table.tBodies[0].append(...rows.slice(from, from + 5 * CHUNK).map(rowOf));
    more.hidden = table.tBodies[0].rows.length >= rows.length;
  };
}

/** A heading that sorts; order is "ascending COLUMN" in the state. */
function sortHead(text, column, now, first, choose) {
  const button = create("button", { type: "button", textContent: text });
  const head = create("th", { scope: "col", className: column === "image" ? "" : "number" }, button);
  const [order, own] = [now.slice(0, now.indexOf(" ")), now.slice(now.indexOf(" ") + 1)];
  if (own === column) head.setAttribute("aria-sort", order);
  button.addEventListener("click", () => {
    const next = own !== column ? first : order === "ascending" ? "descending" : "ascending";
    choose(`${next} ${column}`);
    const heads = [...document.querySelectorAll(`#${button.dataset.table} thead button`)];
    heads.find((each) => each.textContent === text)?.focus(); // the heading was written anew
  });
  return head;
}

/** An image's name; a button where the viewer has its pixels. */
function imageCell(table, image, versions) {
  const name = pictureName({ ...table, image });
  if (!pictures.has(name)) return create("th", { scope: "row", textContent: image });
  const button = create("button", { type: "button", className: "jump", textContent: image, title: "Show it in the viewer" });
  button.addEventListener("click", () => jumpTo(name, versions));
  return create("th", { scope: "row" }, button);
}

const withValues = () => [...tables].filter(([, table]) => table.images.length);
const cutNote = (table) => table.images.length < table.whole ? `This page tells of ${table.images.length} of ${table.whole} images; export writes all of them. ` : "";

/** Choose a table and one of its metrics by two selects; the state may name what is not here. */
function chooseTable(tableSelect, metricSelect, wanted, metric) {
  const table = tables.get(fill(tableSelect, withValues().map(([name, each]) => [name, tableTitle(each)]), wanted || tableSelect.value));
  const ids = data.metrics.map((each) => each.metric).filter((id) => table.values[id]);
  return { table, metric: fill(metricSelect, ids.map((id) => [id, heading(id)]), metric || metricSelect.value) };
}

function sortedRows(rows, order) {
  const [way, column] = [order.slice(0, order.indexOf(" ")), order.slice(order.indexOf(" ") + 1)];
  if (!way) return rows;
  const sign = way === "ascending" ? 1 : -1;
  return [...rows].sort((a, b) => column === "image" ? sign * compareNames(a.image, b.image)
    : compareNumbers(a[column] ?? a.values?.get(column) ?? NaN, b[column] ?? b.values?.get(column) ?? NaN, way));
}

function startImages() {
  if (!withValues().length) return;
  at("images").hidden = false;
  at("list-table").addEventListener("change", () => change({ list: at("list-table").value }));
  at("list-metric").addEventListener("change", () => change({ metric: at("list-metric").value }));
  at("list-find").addEventListener("input", () => change({ filter: at("list-find").value }));
  let shown = { names: [], rows: [] };
  watch("list metric order filter find without families", () => {
    const { table, metric } = chooseTable(at("list-table"), at("list-metric"), state.list, state.metric);
    if (at("list-find").value !== state.filter) at("list-find").value = state.filter;
    const names = shownMethods().map((method) => method.name).filter((name) => table.values[metric][name]);
    const wanted = state.filter.trim().toLowerCase(), digits = metrics.get(metric).digits;
    const rows = sortedRows(table.images.filter((image) => image.toLowerCase().includes(wanted))
      .map((image) => ({ image, values: new Map(names.map((name) => [name, valueOf(table, metric, name, image)])) })), state.order);
    shown = { names, rows, digits, metric, table };
    const choose = (order) => change({ order }), first = sense(metric) > 0 ? "descending" : "ascending";
    const heads = [sortHead("Image", "image", state.order, "ascending", choose), ...names.map((name) => sortHead(name, name, state.order, first, choose))];
    for (const head of heads) head.firstChild.dataset.table = "list";
    longTable(at("list"), at("list-more"), heads, rows, ({ image, values }) => {
      const own = [...values.values()].filter((value) => !Number.isNaN(value)).map((value) => sense(metric) * value), best = sense(metric) && own.length > 1 ? Math.max(...own) : NaN;
      return create("tr", {}, imageCell(table, image), ...names.map((name) => create("td", { textContent: written(values.get(name), digits),
        className: sense(metric) * values.get(name) === best ? "number best" : "number" })));
    });
    const pictured = rows.filter(({ image }) => pictures.has(pictureName({ ...table, image }))).length;
    at("list-note").textContent = `${cutNote(table)}${rows.length} images; ${pictured === rows.length ? "a name opens it" : pictured ? `${pictured} of them can be opened` : "none of them can be opened"} in the viewer. Bold: the best of an image.`;
  });
  at("list-csv").addEventListener("click", () => {
    const { names, rows, digits, metric, table } = shown;
    const lines = rows.map(({ image, values }) => [image, ...names.map((name) => Number.isNaN(values.get(name)) ? "" : written(values.get(name), digits + 2))]);
    save(`${tableTitle(table)} ${metric}.csv`, plainCsv([["image", ...names], ...lines]), "text/csv");
  });
}
