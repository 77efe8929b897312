// Two methods on the images that both restored: who wins how often, and where they differ most.

function startComparison() {
  const usable = withValues().filter(([, table]) => Object.values(table.values).some((columns) => Object.keys(columns).length > 1));
  if (!usable.length) return;
  at("comparison").hidden = false;
  for (const [id, key] of [["pair-table", "pair"], ["pair-metric", "measure"], ["first", "first"], ["second", "second"]]) {
    at(id).addEventListener("change", () => change({ [key]: at(id).value }));
  }
  let shown = null;
  watch("pair measure first second pairOrder find without families", () => {
    const { table, metric } = chooseTable(at("pair-table"), at("pair-metric"), state.pair, state.measure);
    const known = data.methods.map((method) => method.name).filter((name) => table.values[metric][name]);
    const best = byRank().map((method) => method.name).filter((name) => known.includes(name));
    const first = fill(at("first"), known.map((name) => [name, name]), known.includes(state.first) ? state.first : best[0]);
    const second = fill(at("second"), known.map((name) => [name, name]),
      known.includes(state.second) ? state.second : best.find((name) => name !== first) ?? known.find((name) => name !== first));
    const rows = table.images.map((image) => ({ image, first: valueOf(table, metric, first, image), second: valueOf(table, metric, second, image) }))
      .filter((row) => !Number.isNaN(row.first) && !Number.isNaN(row.second));
    for (const row of rows) row.difference = row.first === row.second ? 0 : row.first - row.second;
    shown = { table, metric, first, second, rows: sortedRows(rows, state.pairOrder), digits: metrics.get(metric).digits };
    tellResult(shown);
    writePair(shown);
  });
  at("pair-csv").addEventListener("click", () => {
    const { rows, first, second, digits, table, metric } = shown, text = (value) => written(value, digits + 2);
    save(`${tableTitle(table)} ${metric} ${first} ${second}.csv`,
      plainCsv([["image", first, second, "difference"], ...rows.map((row) => [row.image, text(row.first), text(row.second), text(row.difference)])]), "text/csv");
  });
}

function tellResult({ rows, table, metric, first, second, digits }) {
  const way = sense(metric) || 1, count = (sign) => rows.filter((row) => Math.sign(row.difference) * way === sign).length;
  const [won, even, lost] = [1, 0, -1].map(count), finite = rows.map((row) => row.difference).filter(Number.isFinite);
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  const verb = sense(metric) ? "is better" : "is higher";
  at("pair-result").textContent = !rows.length ? "No image has values of both." : `${cutNote(table)}${first} ${verb} than ${second} on ${won} of ${rows.length} images, ${
    sense(metric) ? "worse" : "lower"} on ${lost}${even ? `, equal on ${even}` : ""}. Mean difference ${withSign(mean, digits + 1)} ${metrics.get(metric).unit}`.trimEnd() + ". The command asasr-bench compare tells whether that may be chance.";
  for (const [kind, number] of [["won", won], ["even", even], ["lost", lost]]) document.querySelector(`#pair-share .${kind}`).style.flexGrow = number;
}

function writePair({ rows, table, metric, first, second, digits }) {
  const choose = (order) => change({ pairOrder: order }), most = Math.max(...rows.map((row) => Math.abs(row.difference)).filter(Number.isFinite), 0) || 1;
  const heads = [["Image", "image"], [first, "first"], [second, "second"], ["Difference", "difference"]]
    .map(([text, column]) => sortHead(text, column, state.pairOrder, column === "image" ? "ascending" : "descending", choose));
  for (const head of heads) head.firstChild.dataset.table = "pair";
  heads.push(create("th", { scope: "col", textContent: `← ${second} · ${first} →` }));
  longTable(at("pair"), at("pair-more"), heads, rows, (row) => {
    const bar = create("i", { className: row.difference * (sense(metric) || 1) > 0 ? "won" : "lost" }), share = clamp(row.difference / most, -1, 1) * (sense(metric) || 1);
    Object.assign(bar.style, { width: `${50 * Math.abs(share)}%`, left: `${share < 0 ? 50 + 50 * share : 50}%` });
    return create("tr", {}, imageCell(table, row.image, { left: second, right: first }),
      ...[written(row.first, digits), written(row.second, digits), withSign(row.difference, digits + 1)].map((text) => create("td", { className: "number", textContent: text })),
      create("td", { className: "bars" }, create("div", { className: "bar" }, bar)));
  });
}
