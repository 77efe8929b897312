// The page comes alive: parts that need no script were there before.

const PARTS = [["tables", "Tables"], ["gallery", "Images"], ["scatter", "Chart"], ["images", "Every image"],
  ["comparison", "Two methods"], ["spectra", "Spectra"], ["problems", "Not measured"], ["provenance", "Provenance"]];

function goTo(part) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  at(part)?.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
}

function startParts() {
  at("bar").hidden = false;
  at("parts").append(...PARTS.filter(([id]) => at(id) && !at(id).hidden).map(([id, text]) => {
    const link = create("a", { href: `#at=${id}`, textContent: text });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      change({ at: id });
      goTo(id);
    });
    return link;
  }));
  if (PARTS.some(([id]) => id === state.at)) at(state.at)?.scrollIntoView();
}

function startLegends() {
  for (const figure of document.querySelectorAll(".spectra")) {
    const lines = new Map([...figure.querySelectorAll("g[data-method]")].map((each) => [each.dataset.method, each]));
    for (const box of figure.querySelectorAll("input")) {
      const line = lines.get(box.value), stroke = line.querySelector("polyline").getAttribute("stroke"), key = document.createElement("i");
      key.style.borderColor = stroke;
      if (line.querySelector("polyline").getAttribute("stroke-dasharray")) key.style.borderTopStyle = "dashed";
      box.after(key);
      box.addEventListener("change", () => line.classList.toggle("off", !box.checked));
    }
    watch("find without families", () => {
      for (const box of figure.querySelectorAll("input")) {
        box.parentElement.hidden = !isShown(box.value);
        lines.get(box.value).classList.toggle("off", !box.checked || !isShown(box.value));
      }
    });
  }
  const protocol = at("protocol");
  protocol?.addEventListener("change", () => { location.href = protocol.value; });
}

startTips();
startState();
startMethods();
startTables();
startViewer();
startChart();
startImages();
startComparison();
startLegends();
startHelp();
startParts();
