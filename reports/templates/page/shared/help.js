// The sheet of keys and gestures.

const GESTURES = [
  ["drag", "the divider, or the enlarged image"], ["wheel, two fingers", "zoom about the pointer"],
  ["double click", "enlarge there, and back"], ["click on a crop or a name", "show it on the right; with Shift on the left"],
];

function startHelp() {
  const sheet = at("help"), close = create("button", { type: "button", textContent: "Close" });
  const list = (pairs, tag) => create("dl", {}, ...pairs.flatMap(([what, does]) => [create("dt", {}, create(tag, { textContent: what })), create("dd", { textContent: does })]));
  sheet.append(create("h2", { id: "help-title", textContent: "Keys and gestures of the viewer" }),
    create("p", { className: "under", textContent: "Keys work while the viewer has the focus: click on the image, or tab to it." }),
    list(KEYS, "kbd"), list(GESTURES, "span"), close);
  close.addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", (event) => { if (event.target === sheet) sheet.close(); });
  at("help-button").addEventListener("click", () => sheet.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !event.target.matches("input, select, textarea") && !sheet.open) sheet.showModal();
  });
}
