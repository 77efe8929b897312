// Leaderboard tables: sorting by any column, columns that are hidden, intervals on request, downloads.

/** The order that a click on a heading asks for: the better ones first, then the other way round. */
function nextOrder(head) {
  const other = { ascending: "descending", descending: "ascending" };
  return other[head.getAttribute("aria-sort")] || head.dataset.first || "ascending";
}

/** Compare numbers with those that are none last, whatever the order. */
function compareNumbers(x, y, order) {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return x === y ? 0 : (order === "ascending" ? 1 : -1) * (x < y ? -1 : 1);
}

function sortTable(table, heads, column, order) {
  const place = heads.findIndex((head) => head.dataset.column === column);
  for (const head of heads) head.removeAttribute("aria-sort");
  const body = table.tBodies[0];
  table.original ??= [...body.rows];
  if (place < 0) return body.append(...table.original);
  const number = heads[place].dataset.kind === "number", sign = order === "ascending" ? 1 : -1;
  const key = (row) => number ? real(row.cells[place].dataset.value.replace("nan", "NaN"))
    : place ? row.cells[place].textContent : row.dataset.method;
  const keyed = table.original.map((row) => [key(row), row]);
  keyed.sort(([x], [y]) => number ? compareNumbers(x, y, order) : sign * compareNames(x, y));
  heads[place].setAttribute("aria-sort", order);
  body.append(...keyed.map(([, row]) => row));
}

/** Order and column of a table in the state, empty where it is as it was written. */
function sortOf(name) {
  for (const each of state.sort) {
    const [order, rest] = [each.slice(0, each.indexOf(" ")), each.slice(each.indexOf(" ") + 1)];
    if (rest.endsWith(` ${name}`)) return [order, rest.slice(0, -name.length - 1)];
  }
  return ["", ""];
}

function startTables() {
  const sections = [...document.querySelectorAll("section[data-table]")].filter((section) => section.querySelector("table"));
  const columns = new Map();
  for (const section of sections) {
    const table = section.querySelector("table"), name = section.dataset.table;
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      if (head.dataset.column !== "method") columns.set(head.dataset.column, head.querySelector("button").textContent);
      head.querySelector("button").addEventListener("click", () => {
        const others = state.sort.filter((each) => !each.endsWith(` ${name}`));
        change({ sort: [...others, `${nextOrder(head)} ${head.dataset.column} ${name}`] });
      });
    }
    let now = " ";
    watch("sort", () => {
      const [order, column] = sortOf(name), wanted = `${order} ${column}`;
      if (wanted !== now) sortTable(table, heads, column, order);
      now = wanted;
    });
    watch("columns", () => {
      const hidden = heads.map((head) => state.columns.includes(head.dataset.column));
      for (const row of table.rows) [...row.cells].forEach((cell, place) => { cell.hidden = hidden[place]; });
    });
    section.querySelector("h2").after(tableButtons(section.querySelector("h2").textContent, table));
  }
  const picker = document.querySelector("#pick-columns .names");
  boxes(picker, [...columns].map(([id, text]) => [id, id.startsWith("rank ") ? `Rank: ${text}` : text]), "columns");
  watch("columns", () => {
    for (const box of picker.querySelectorAll("input")) box.checked = !state.columns.includes(box.value);
    at("pick-columns").classList.toggle("chosen", state.columns.length > 0);
  });
  const intervals = at("intervals");
  intervals.addEventListener("change", () => change({ intervals: intervals.checked }));
  watch("intervals", () => {
    intervals.checked = state.intervals;
    document.body.classList.toggle("with-intervals", state.intervals);
  });
}

function tableButtons(title, table) {
  const button = (text, call) => {
    const own = create("button", { type: "button", textContent: text, title: `Download what this table shows as ${text}` });
    own.addEventListener("click", call);
    return own;
  };
  return create("span", { className: "buttons downloads" },
    button("CSV", () => save(`${title}.csv`, csvText(shownRows(table)), "text/csv")),
    button("LaTeX", () => save(`${title}.tex`, latexText(shownRows(table), title), "text/x-tex")));
}

/** What a table shows, as rows of cells {text, mark, low, high}; headings first. */
function shownRows(table) {
  const cellOf = (cell) => {
    const [low, high] = cell.querySelector(".interval")?.textContent.split(" to ") ?? [];
    const name = cell.querySelector(".name, button:not(.source)") ?? cell.querySelector("span:not(.tied)") ?? cell;
    const mark = ["best", "second"].find((word) => cell.classList.contains(word)) ?? "";
    return { text: name.textContent.trim(), mark, low, high };
  };
  return [...table.rows].filter((row) => !row.hidden)
    .map((row) => [...row.cells].filter((cell) => !cell.hidden).map(cellOf));
}
