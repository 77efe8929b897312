// Which methods are shown: the search, the families and the picker hold for tables, charts and the viewer alike.

const matches = (name) => name.toLowerCase().includes(state.find.trim().toLowerCase());
const isShown = (name, family = methods.get(name)?.family) =>
  !state.without.includes(name) && !state.families.includes(family) && matches(name);
const shownMethods = () => data.methods.filter((method) => isShown(method.name));

/** Methods in the order of their average rank; those without one follow as they stand. */
const byRank = () => [...shownMethods()].sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || 0);

const toggled = (list, name, on) => on ? list.filter((each) => each !== name) : [...new Set([...list, name])];

/** A list of boxes for a picker, with buttons for all and none. */
function boxes(fieldset, pairs, key) {
  const labels = pairs.map(([value, text]) => {
    const box = create("input", { type: "checkbox", value });
    box.addEventListener("change", () => change({ [key]: toggled(state[key], value, box.checked) }));
    return create("label", {}, box, ` ${text}`);
  });
  const all = create("button", { type: "button", textContent: "All" });
  const none = create("button", { type: "button", textContent: "None" });
  all.addEventListener("click", () => change({ [key]: [] }));
  none.addEventListener("click", () => change({ [key]: pairs.map(([value]) => value) }));
  fieldset.append(create("span", { className: "buttons" }, all, none), ...labels);
}

function startMethods() {
  const search = at("search"), names = document.querySelector("#pick-methods .names");
  const rows = [...document.querySelectorAll("#tables tr[data-method]")];
  const all = [...new Set([...methods.keys(), ...rows.map((row) => row.dataset.method)])];
  boxes(names, all.map((name) => [name, name]), "without");
  const families = [...document.querySelectorAll(".families input")];
  for (const box of families) {
    box.addEventListener("change", () => change({ families: toggled(state.families, box.value, box.checked) }));
  }
  search.addEventListener("input", () => change({ find: search.value }));
  watch("find without families", () => {
    if (search.value !== state.find) search.value = state.find;
    for (const box of families) box.checked = !state.families.includes(box.value);
    for (const box of names.querySelectorAll("input")) box.checked = !state.without.includes(box.value);
    for (const row of rows) row.hidden = !isShown(row.dataset.method, row.dataset.family);
    const hidden = all.filter((name) => state.without.includes(name)).length + state.families.length;
    at("pick-methods").classList.toggle("chosen", hidden > 0);
  });
  for (const picker of document.querySelectorAll(".picker")) {
    document.addEventListener("click", (event) => { if (!picker.contains(event.target)) picker.open = false; });
    picker.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      picker.open = false;
      picker.querySelector("summary").focus();
    });
  }
}
