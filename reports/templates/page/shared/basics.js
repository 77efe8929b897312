"use strict";
// What all parts of the page share: its data, elements, and how numbers are written.

const at = (id) => document.getElementById(id);
const data = JSON.parse(at("data").textContent);
const metrics = new Map(data.metrics.map((metric) => [metric.metric, metric]));
const methods = new Map(data.methods.map((method) => [method.name, method]));
const severalProtocols = new Set(data.tables.map((table) => table.protocol)).size > 1;

/** A new element with properties, attributes (names with a dash, role) and children; text is never markup. */
function create(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Fill a select with [value, text] pairs; keeps what is selected where that is still to be had. */
function fill(select, pairs, wanted = select.value) {
  select.replaceChildren(...pairs.map(([value, text]) => create("option", { value, textContent: text })));
  select.value = pairs.some(([value]) => value === wanted) ? wanted : pairs.length ? pairs[0][0] : "";
  return select.value;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const compareNames = new Intl.Collator("en", { numeric: true }).compare;

/** JSON has no infinity: it is a text there, and null is no number. */
const real = (value) => value === null || value === undefined ? NaN : typeof value === "string" ? Number(value.replace("inf", "Infinity")) : value;

/** Fixed decimals as in the tables: ∞ for equal images, a power of ten where decimals would fill the page. */
function written(value, digits) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const text = Math.abs(value) >= 1e6 ? value.toExponential(2) : value.toFixed(digits);
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}
const withSign = (value, digits) => (value > 0 ? "+" : "") + written(value, digits);

/** 1 where more is better, -1 where less is (0 is best included: values are sizes then), 0 where nothing is. */
const sense = (metric) => ({ higher: 1, lower: -1, zero: -1 })[metrics.get(metric)?.direction] || 0;
const heading = (metric) => {
  const { title, unit, direction } = metrics.get(metric);
  return `${title}${unit ? ` [${unit}]` : ""} ${{ higher: "↑", lower: "↓", zero: "→ 0" }[direction] || ""}`.trim();
};

const tableName = (table) => `${table.dataset} ${table.protocol}`;
const tableTitle = (table) => severalProtocols ? `${table.dataset} (${table.protocol})` : table.dataset;
const pictureName = (picture) => `${tableName(picture)} ${picture.image}`;
const pictureTitle = (picture) => `${tableTitle(picture)}: ${picture.image}`;
const tables = new Map(data.tables.map((table) => [tableName(table), table]));
const pictures = new Map(data.pictures.map((picture) => [pictureName(picture), picture]));

/** The mean value of one image: NaN where a method has none. */
function valueOf(table, metric, method, image) {
  const place = table ? table.places ??= new Map(table.images.map((name, number) => [name, number])) : null;
  const column = table?.values[metric]?.[method];
  return column && place.has(image) ? real(column[place.get(image)]) : NaN;
}

/** Tell something for a moment, to screen readers too. */
function tell(text) {
  at("told").textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { at("told").textContent = ""; }, 6000);
}

/** What stands in data-tip: at the pointer's element, on focus, and on a tap. */
function startTips() {
  const tip = at("tip");
  let owner = null;
  const hide = () => { tip.hidden = true; owner?.removeAttribute("aria-describedby"); owner = null; };
  const show = (event) => {
    const element = event.target.closest?.("[data-tip]");
    if (!element) return event.type === "pointerover" || event.type === "click" ? hide() : undefined;
    owner?.removeAttribute("aria-describedby");
    owner = element;
    tip.textContent = element.dataset.tip;
    tip.hidden = false;
    element.setAttribute("aria-describedby", "tip");
    place();
  };
  const place = () => {
    if (!owner) return;
    const box = owner.getBoundingClientRect(), own = tip.getBoundingClientRect();
    tip.style.left = `${clamp(box.left + box.width / 2 - own.width / 2, 4, Math.max(4, document.documentElement.clientWidth - own.width - 4))}px`;
    tip.style.top = `${box.top > own.height + 8 ? box.top - own.height - 6 : box.bottom + 6}px`;
  };
  for (const kind of ["pointerover", "focusin", "click"]) document.addEventListener(kind, show);
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", place, { capture: true, passive: true }); // a focus scrolls to its element
}
