// What a reader chose. All of it that is not the default stands in the address, so that a link leads to the same view.

const DEFAULTS = Object.freeze({
  at: "", // part of the page that was jumped to
  find: "", without: [], families: [], columns: [], intervals: false, // methods, families and columns that are hidden
  sort: [], // "ascending psnr_y TABLE" for each table that is sorted
  image: "", left: "", right: "", layer: "image", gain: 4, side: false, divide: 50, // the viewer
  zoom: 0, x: 0.5, y: 0.5, crop: 5, // screen pixels of a pixel, 0: the whole image; its middle; size of crops
  chart: "", across: "", up: "", bars: true,
  list: "", metric: "", order: "", filter: "", // table of images: dataset, metric, "ascending COLUMN", part of a name
  pair: "", measure: "", first: "", second: "", pairOrder: "descending difference",
});
const state = { ...DEFAULTS, ...stateIn(location.hash) };
const watchers = [];
let ownHash = "";

function stateIn(hash) {
  const given = new URLSearchParams(hash.slice(1)), read = {};
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    if (!given.has(name)) continue;
    const text = given.get(name);
    if (Array.isArray(usual)) read[name] = given.getAll(name);
    else if (typeof usual === "boolean") read[name] = text === "yes";
    else if (typeof usual === "number") read[name] = Number.isFinite(parseFloat(text)) ? parseFloat(text) : usual;
    else read[name] = text;
  }
  return read;
}

function hashOf(values) {
  const given = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = values[name];
    if (Array.isArray(usual)) for (const each of value) given.append(name, each);
    else if (value !== usual) given.set(name, typeof value === "boolean" ? (value ? "yes" : "no")
      : String(value));
  }
  return given.toString();
}

/** Take over what changed, and call whoever watches it. Numbers are as short as the address tells them. */
function change(given) {
  const short = (value) => typeof value === "number" ? +value.toFixed(6) : value;
  const part = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, short(value)]));
  const names = Object.keys(part).filter((name) => String(state[name]) !== String(part[name]));
  if (!names.length) return;
  Object.assign(state, part);
  for (const [watched, call] of watchers) if (names.some((name) => watched.includes(name))) call();
  clearTimeout(change.timer);
  change.timer = setTimeout(writeHash, 150); // browsers refuse an address that changes with every frame
}

/** Call now, and whenever one of these changes. */
function watch(names, call) {
  watchers.push([names.split(" "), call]);
  call();
}

function writeHash() {
  clearTimeout(change.timer);
  ownHash = hashOf(state);
  if (ownHash !== location.hash.slice(1)) history.replaceState(null, "", `#${ownHash}`);
}

function startState() {
  addEventListener("hashchange", () => {
    if (location.hash.slice(1) !== ownHash) change({ ...DEFAULTS, ...stateIn(location.hash) });
  });
  at("copy-link").addEventListener("click", async () => {
    writeHash();
    try {
      await navigator.clipboard.writeText(location.href);
      tell("The link is copied.");
    } catch {
      prompt("Copy this link:", location.href); // no clipboard for this page
    }
  });
}
