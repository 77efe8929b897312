"use strict";
for (const head of document.querySelectorAll("th[data-kind]")) {
  head.querySelector("button").addEventListener("click", () => {
    const row = head.parentElement, table = head.closest("table"), index = [...row.children].indexOf(head);
    const other = { ascending: "descending", descending: "ascending" };
    const order = other[head.getAttribute("aria-sort")] || head.dataset.first || "ascending";
    for (const each of row.children) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1, body = table.tBodies[0];
    const value = (line) => {
      const cell = line.children[index];
      return head.dataset.kind === "text" ? cell.textContent : parseFloat(cell.dataset.value.replace("inf", "Infinity"));
    };
    const compare = (a, b) => {
      const x = value(a), y = value(b);
      if (typeof x === "string") return sign * x.localeCompare(y);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // no number: always last
      return x === y ? 0 : sign * (x < y ? -1 : 1);
    };
    body.append(...[...body.rows].sort(compare));
  });
}
for (const box of document.querySelectorAll(".families input")) {
  box.addEventListener("change", () => {
    const shown = new Set([...document.querySelectorAll(".families input:checked")].map((each) => each.value));
    for (const line of document.querySelectorAll("tr[data-family]")) line.hidden = !shown.has(line.dataset.family);
  });
}

const gallery = JSON.parse(document.getElementById("data").textContent);
if (gallery.length) {
  const at = (id) => document.getElementById(id);
  const [image, left, right, stage, slider, lens, crops] =
    ["image", "left", "right", "stage", "slider", "lens", "crops"].map(at);
  const side = 48; // crops show 48 pixels of HR
  at("gallery").hidden = false;
  const option = (text, value) => Object.assign(document.createElement("option"), { textContent: text, value });
  gallery.forEach((each, index) => image.append(option(`${each.dataset}: ${each.image}`, index)));
  const now = () => gallery[image.value];

  function show(target, view) {
    target.src = view.src;
    target.alt = view.name;
    target.classList.toggle("pixelated", view.pixelated);
  }
  function update() {
    show(at("above"), now().views[left.value]);
    show(at("below"), now().views[right.value]);
  }
  function choose() {
    const { views, width, height } = now();
    stage.style.aspectRatio = `${width} / ${height}`;
    for (const [list, preferred] of [[left, 0], [right, views.length - 1]]) {
      const before = list.selectedOptions[0]?.textContent;
      list.replaceChildren(...views.map((view, index) => option(view.name, index)));
      const same = views.findIndex((view) => view.name === before);
      list.value = same >= 0 ? same : preferred;
    }
    crops.replaceChildren(...views.map((view) => {
      const figure = document.createElement("figure"), crop = document.createElement("div");
      const caption = document.createElement("figcaption"), values = document.createElement("span");
      crop.className = "crop";
      crop.style.backgroundImage = `url("${view.src}")`;
      caption.textContent = view.name;
      values.textContent = view.caption;
      caption.append(values);
      figure.append(crop, caption);
      return figure;
    }));
    update();
    zoom(0.5, 0.5);
  }
  function zoom(x, y) {
    const { width, height } = now(), w = side / width, h = side / height;
    const cx = Math.min(Math.max(x, w / 2), 1 - w / 2), cy = Math.min(Math.max(y, h / 2), 1 - h / 2);
    Object.assign(lens.style, { left: `${(cx - w / 2) * 100}%`, top: `${(cy - h / 2) * 100}%`,
      width: `${w * 100}%`, height: `${h * 100}%` });
    for (const crop of crops.querySelectorAll(".crop")) {
      crop.style.backgroundSize = `${100 / w}% ${100 / h}%`;
      crop.style.backgroundPosition = `${((cx - w / 2) / (1 - w)) * 100}% ${((cy - h / 2) / (1 - h)) * 100}%`;
    }
  }
  image.addEventListener("change", choose);
  left.addEventListener("change", update);
  right.addEventListener("change", update);
  slider.addEventListener("input", () => {
    at("cut").style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    at("handle").style.left = `${slider.value}%`;
  });
  stage.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect();
    zoom((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });
  choose();
}
