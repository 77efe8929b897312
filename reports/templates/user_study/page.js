"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const KEPT = `user-study-${data.study}`, FARTHEST = 16, RELEASE = 250; // milliseconds in which a key held down answers nothing
let state = null; // what is saved: rater, code, answers by trial, started
let order = [], place = 0, shown = [], zoom = { scale: 1, x: 0.5, y: 0.5 }, most = 1, ready = false;
let since = 0, spent = 0;

// The same rater sees the same order again: all chance comes from the rater's random name.
function chance(text) {
  let seed = 2166136261;
  for (const sign of text) seed = Math.imul(seed ^ sign.codePointAt(0), 16777619);
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
function shuffled(list, random) {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}
function plan() {
  const random = chance(data.study + state.rater);
  const drawn = data.groups.flatMap((group) => shuffled(group.trials, random).slice(0, group.draw));
  order = shuffled(drawn, random).map((trial) => ({ ...trial, options: shuffled(trial.options, random) }));
}
function newRater() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
function keep() {
  try { localStorage.setItem(KEPT, JSON.stringify(state)); return true; } catch { return false; }
}
function kept() {
  try { return usable(JSON.parse(localStorage.getItem(KEPT))); } catch { return null; }
}
function usable(found) {
  const fits = found && typeof found.rater === "string" && found.answers && typeof found.answers === "object";
  return fits ? { rater: found.rater, code: String(found.code || ""), started: String(found.started || ""), answers: found.answers } : null;
}
function screenOf(name) {
  for (const each of ["start", "ask", "end"]) at(each).hidden = each !== name;
}

// One question
function ask() {
  while (place < order.length && state.answers[order[place].id]) place++;
  if (place >= order.length) { finish(); return; }
  show();
}
function show() {
  screenOf("ask");
  const trial = order[place], views = at("views");
  ready = false;
  shown = trial.options;
  at("progress").max = order.length;
  at("progress").value = place;
  at("place").textContent = `${place + 1} of ${order.length}`;
  at("back").disabled = place === 0;
  at("none").hidden = !data.tie;
  views.replaceChildren();
  const all = trial.beside ? [...shown, trial.beside] : shown;
  const pictures = all.map((name, number) => {
    const figure = document.createElement("figure"), view = document.createElement("div"), picture = new Image();
    view.className = "view";
    picture.alt = number < shown.length ? `Version ${number + 1}` : "The picture that the versions were made from";
    picture.draggable = false;
    picture.src = data.images[name];
    view.append(picture);
    figure.append(view);
    if (number < shown.length) {
      const button = document.createElement("button");
      button.innerHTML = `Version ${number + 1}${number < 9 ? ` <kbd>${number + 1}</kbd>` : ""}`;
      button.className = "choose";
      button.disabled = true;
      button.addEventListener("click", () => answer(name));
      figure.append(button);
    } else {
      const caption = document.createElement("figcaption");
      caption.textContent = "For comparison";
      figure.append(caption);
    }
    views.append(figure);
    return picture;
  });
  arrange();
  [zoom, most] = [{ scale: 1, x: 0.5, y: 0.5 }, 1];
  spent = 0;
  Promise.all(pictures.map((picture) => picture.decode().catch(() => {}))).then(() => {
    if (order[place] !== trial || at("ask").hidden) return;
    draw();
    for (const button of views.querySelectorAll("button")) button.disabled = false;
    ready = true;
    since = performance.now();
  });
}
function arrange() { // columns that show the images largest
  const views = at("views"), count = views.children.length, { width, height } = order[place];
  const room = { width: views.clientWidth, height: views.clientHeight }, label = 52, space = 8;
  let best = { size: 0, columns: 1 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const size = Math.min((room.width - space * (columns - 1)) / columns / width, ((room.height - space * (rows - 1)) / rows - label) / height);
    if (size > best.size) best = { size, columns };
  }
  const narrow = room.width / best.columns < 150; // too small to judge: larger, and the page scrolls
  if (narrow || best.size * width < 150) best.columns = Math.max(1, Math.floor(room.width / 170));
  views.style.setProperty("--columns", best.columns);
  views.style.setProperty("--least", best.size * width < 150 ? `${Math.round((room.width / best.columns) * (height / width)) + label}px` : "0px");
}
function fit(view) { // size of the image at magnification 1 in its view
  const { width, height } = order[place], ratio = Math.min(view.clientWidth / width, view.clientHeight / height);
  return { width: width * ratio, height: height * ratio };
}
function draw() {
  for (const view of at("views").querySelectorAll(".view")) {
    const picture = view.firstChild, base = fit(view);
    const offset = (room, size, share) => size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, room / 2 - share * size));
    const [wide, high] = [base.width * zoom.scale, base.height * zoom.scale];
    const x = offset(view.clientWidth, wide, zoom.x), y = offset(view.clientHeight, high, zoom.y);
    picture.style.width = `${base.width}px`;
    picture.style.height = `${base.height}px`;
    picture.style.transform = `translate(${x}px, ${y}px) scale(${zoom.scale})`;
    picture.classList.toggle("near", wide > 3 * picture.naturalWidth && picture.naturalWidth >= order[place].width);
  }
  at("scale").textContent = `${zoom.scale < 9.95 ? zoom.scale.toFixed(1).replace(".0", "") : Math.round(zoom.scale)}×`;
}
function magnify(factor, x = zoom.x, y = zoom.y) {
  const scale = Math.min(FARTHEST, Math.max(1, zoom.scale * factor)), share = zoom.scale / scale;
  zoom = { scale, ...inside(x + (zoom.x - x) * share, y + (zoom.y - y) * share) };
  most = Math.max(most, scale);
  draw();
}
function inside(x, y) {
  return { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
}
function answer(choice) {
  const now = performance.now();
  if (!ready || spent + now - since < RELEASE) return;
  ready = false;
  state.answers[order[place].id] = { trial: order[place].id, shown: [...shown], choice, ms: Math.round(spent + now - since), zoom: Math.round(most * 100) / 100 };
  const safe = keep();
  place++;
  if (place >= order.length) { ask(); } else if (state.answers[order[place].id]) { show(); } else { ask(); }
  if (!safe && !at("ask").hidden) at("place").textContent += " · not kept by this browser: save before you leave";
}

// Saving
function file() {
  const answers = order.map((trial) => state.answers[trial.id]).filter(Boolean);
  return JSON.stringify({
    format: "user study votes", version: 1, study: data.study, rater: state.rater, code: state.code,
    started: state.started, saved: new Date().toISOString(), complete: answers.length === order.length, trials: order.length,
    screen: { width: innerWidth, height: innerHeight, ratio: devicePixelRatio }, answers,
  }, null, 1);
}
function finish() {
  screenOf("end");
  const done = order.filter((trial) => state.answers[trial.id]).length, whole = done === order.length;
  at("thanks").textContent = whole ? "Thank you" : "Stopped";
  at("summary").textContent = `${done} of ${order.length} questions are answered. ` + (whole
    ? "Save the file and give it to whoever asked you." : "Go on now or later on this device, or save the file and go on from it elsewhere.");
  at("resume").hidden = whole;
  at("text").value = file();
}
at("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file()], { type: "application/json" }));
  link.download = `votes-${state.rater}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
at("copy").addEventListener("click", async () => {
  at("text").hidden = false;
  at("text").select();
  try { await navigator.clipboard.writeText(at("text").value); at("summary").textContent = "Copied. Paste it into a message to whoever asked you."; } catch {
    at("summary").textContent = "Copy the text below and paste it into a message to whoever asked you.";
  }
});
at("resume").addEventListener("click", () => { place = 0; ask(); });
at("stop").addEventListener("click", finish);
at("back").addEventListener("click", () => { if (place > 0) { place--; show(); } });
at("none").addEventListener("click", () => answer(null));
at("more").addEventListener("click", () => magnify(2));
at("less").addEventListener("click", () => magnify(0.5));

document.addEventListener("keydown", (event) => {
  if (at("ask").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[1-9]$/.test(event.key) && shown[event.key - 1] && !event.repeat) answer(shown[event.key - 1]);
  else if (event.key === "0" && data.tie && !event.repeat) answer(null);
  else if (event.key === "ArrowLeft" && shown.length === 2 && !event.repeat) answer(shown[0]);
  else if (event.key === "ArrowRight" && shown.length === 2 && !event.repeat) answer(shown[1]);
  else if (event.key === "+" || event.key === "=") magnify(2);
  else if (event.key === "-") magnify(0.5);
  else if (event.key === "Backspace") at("back").click();
  else return;
  event.preventDefault();
});
document.addEventListener("visibilitychange", () => { // time in which the page is hidden is nobody's answer
  if (!ready) return;
  if (document.hidden) spent += performance.now() - since;
  else since = performance.now();
});
addEventListener("resize", () => { if (!at("ask").hidden) { arrange(); draw(); } });

// Zoom and move: all versions together
const touches = new Map();
const viewOf = (event) => event.target.closest && event.target.closest(".view");
at("views").addEventListener("wheel", (event) => {
  const view = viewOf(event);
  if (!view || (event.deltaY > 0 && zoom.scale === 1)) return;
  event.preventDefault();
  const box = view.getBoundingClientRect();
  magnify(event.deltaY < 0 ? 1.25 : 0.8, ...under(view, event.clientX - box.left, event.clientY - box.top));
}, { passive: false });
function under(view, x, y) { // share of the image under a point of its view
  const base = fit(view);
  const share = (room, size, centre, point) => (point - (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, room / 2 - centre * size)))) / size;
  const found = inside(share(view.clientWidth, base.width * zoom.scale, zoom.x, x), share(view.clientHeight, base.height * zoom.scale, zoom.y, y));
  return [found.x, found.y];
}
at("views").addEventListener("pointerdown", (event) => {
  const view = viewOf(event);
  if (!view) return;
  touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
  view.setPointerCapture(event.pointerId);
});
at("views").addEventListener("pointermove", (event) => {
  const before = touches.get(event.pointerId), view = viewOf(event);
  if (!before || !view) return;
  const other = [...touches].find(([id]) => id !== event.pointerId);
  const now = { x: event.clientX, y: event.clientY };
  if (other) {
    const apart = (a) => Math.hypot(a.x - other[1].x, a.y - other[1].y);
    if (apart(before) > 0) magnify(apart(now) / apart(before));
  } else {
    const base = fit(view);
    if (zoom.scale === 1 && at("views").scrollHeight > at("views").clientHeight) at("views").scrollTop -= now.y - before.y;
    zoom = { ...zoom, ...inside(zoom.x - (now.x - before.x) / (base.width * zoom.scale), zoom.y - (now.y - before.y) / (base.height * zoom.scale)) };
    draw();
  }
  touches.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"]) at("views").addEventListener(kind, (event) => touches.delete(event.pointerId));
at("views").addEventListener("dblclick", (event) => {
  const view = viewOf(event);
  if (!view) return;
  const box = view.getBoundingClientRect();
  magnify(zoom.scale > 1 ? 1 / zoom.scale : 4, ...under(view, event.clientX - box.left, event.clientY - box.top));
});

// Start, and go on
function begin(found) {
  state = found || { rater: newRater(), code: at("code").value.trim(), started: new Date().toISOString(), answers: {} };
  if (found && at("code").value.trim()) state.code = at("code").value.trim();
  plan();
  place = 0;
  if (!keep()) at("told").textContent = "This browser keeps nothing: save the file before you leave.";
  ask();
}
at("count").textContent = data.groups.reduce((sum, group) => sum + group.draw, 0);
const before = kept();
if (before) {
  at("begin").textContent = "Go on";
  at("code").value = before.code;
  at("other").hidden = false;
  at("told").textContent = `${Object.keys(before.answers).length} questions are answered on this device.`;
}
at("begin").addEventListener("click", () => begin(before));
at("other").addEventListener("click", () => {
  if (before && at("code").value.trim() === before.code) at("code").value = "";
  begin(null);
});
at("open").addEventListener("change", async () => {
  const chosen = at("open").files[0];
  if (!chosen) return;
  try {
    const found = JSON.parse(await chosen.text());
    if (found.study !== data.study) throw new Error("it is of another study");
    begin(usable({ ...found, answers: Object.fromEntries(found.answers.map((one) => [one.trial, one])) }));
  } catch (error) {
    at("told").textContent = `This file cannot be used: ${error.message}.`;
    at("open").value = "";
  }
});
