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

const protocol = document.getElementById("protocol");
if (protocol) protocol.addEventListener("change", () => { location.href = protocol.value; });
for (const figure of document.querySelectorAll(".spectra")) {
  const lines = new Map([...figure.querySelectorAll("g[data-method]")].map((each) => [each.dataset.method, each]));
  for (const box of figure.querySelectorAll("input")) {
    const line = lines.get(box.value), stroke = line.querySelector("polyline").getAttribute("stroke");
    const key = document.createElement("i");
    key.style.borderColor = stroke;
    if (line.querySelector("polyline").getAttribute("stroke-dasharray")) key.style.borderTopStyle = "dashed";
    box.after(key);
    box.addEventListener("change", () => line.classList.toggle("off", !box.checked));
  }
}

const gallery = JSON.parse(document.getElementById("data").textContent);
if (gallery.length) {
  const at = (id) => document.getElementById(id);
  const [image, left, right, stage, slider, lens, crops, thumbnails, zoomer] =
    ["image", "left", "right", "stage", "slider", "lens", "crops", "thumbnails", "zoom"].map(at);
  const WHOLE = 256; // pixels of a side at magnification 1
  let seen = false; // full images are fetched when the gallery comes into view
  let place = [0.5, 0.5];
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
    if (!seen) return;
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
      crop.dataset.src = view.src;
      caption.textContent = view.name;
      values.textContent = view.caption;
      caption.append(values);
      figure.append(crop, caption);
      return figure;
    }));
    [...thumbnails.children].forEach((each, index) => each.setAttribute("aria-pressed", String(index === +image.value)));
    fetchImages();
    zoom(0.5, 0.5);
  }
  function fetchImages() {
    if (!seen) return;
    update();
    for (const crop of crops.querySelectorAll(".crop")) crop.style.backgroundImage = `url("${crop.dataset.src}")`;
  }
  function zoom(x, y) {
    place = [Math.min(Math.max(x, 0), 1), Math.min(Math.max(y, 0), 1)];
    const { width, height } = now(), side = Math.min(WHOLE / zoomer.value, width, height), w = side / width, h = side / height;
    const cx = Math.min(Math.max(x, w / 2), 1 - w / 2), cy = Math.min(Math.max(y, h / 2), 1 - h / 2);
    Object.assign(lens.style, { left: `${(cx - w / 2) * 100}%`, top: `${(cy - h / 2) * 100}%`,
      width: `${w * 100}%`, height: `${h * 100}%` });
    for (const crop of crops.querySelectorAll(".crop")) {
      crop.style.backgroundSize = `${100 / w}% ${100 / h}%`;
      const part = (centre, share) => share >= 1 ? 0 : ((centre - share / 2) / (1 - share)) * 100;
      crop.style.backgroundPosition = `${part(cx, w)}% ${part(cy, h)}%`;
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
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    zoom(place[0] + step[0] * 0.02, place[1] + step[1] * 0.02);
  });
  zoomer.addEventListener("input", () => zoom(...place));
  if (gallery.length > 1 && gallery.every((each) => each.thumbnail)) {
    thumbnails.append(...gallery.map((each, index) => {
      const button = document.createElement("button"), picture = document.createElement("img");
      picture.src = each.thumbnail;
      picture.alt = button.title = `${each.dataset}: ${each.image}`;
      button.append(picture);
      button.addEventListener("click", () => { image.value = index; choose(); });
      return button;
    }));
  }
  choose();
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    seen = true;
    fetchImages();
  }, { rootMargin: "300px" }).observe(at("gallery"));
}
