// @ts-check
// The descriptors to choose from: heard, added by a button, or dragged into the timeline.

import { descriptors, search } from "./catalogue.js";
import { bpm } from "./grid.js";
import { startRoving } from "./roving.js";
import { toggle } from "./sound.js";
import { timeAt, track } from "./track.js";

const TYPE = "application/x-amper-descriptor";

const palette = /** @type {HTMLElement} */ (document.getElementById("palette"));
const find = /** @type {HTMLInputElement} */ (document.getElementById("find"));
const genre = /** @type {HTMLSelectElement} */ (document.getElementById("find-genre"));
const found = /** @type {HTMLElement} */ (document.getElementById("found"));
const heard = /** @type {HTMLElement} */ (document.getElementById("heard"));
const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));

/** @param {(descriptor: string, at: number | null) => void} add */
export function startPalette(add) {
  const rows = new Map(descriptors.map((one) => [one.name, row(one)]));
  palette.replaceChildren(...rows.values());
  const rove = startRoving(palette);

  function filter() {
    const names = new Set(search(find.value, genre.value).map((one) => one.name));
    for (const [name, element] of rows) element.hidden = !names.has(name);
    found.textContent = names.size ? `${names.size} of ${rows.size}` : "Nothing is like that: try fewer words.";
    rove();
  }

  find.addEventListener("input", filter);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  genre.addEventListener("change", filter);
  palette.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.classList.contains("play")) toggle(button, tell);
    else if (button) add(button.value, null);
  });
  document.getElementById("add-silence")?.addEventListener("click", () => add("", null));
  palette.addEventListener("dragstart", (event) => {
    const name = event.target instanceof HTMLElement ? event.target.dataset.name : undefined;
    if (name) event.dataTransfer?.setData(TYPE, name);
  });
  for (const name of /** @type {const} */ (["dragenter", "dragover"])) {
    stage.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes(TYPE)) return;
      event.preventDefault();
      track.classList.add("drop");
    });
  }
  stage.addEventListener("dragleave", (event) => {
    if (!stage.contains(/** @type {Node | null} */ (event.relatedTarget))) track.classList.remove("drop");
  });
  stage.addEventListener("drop", (event) => {
    const name = event.dataTransfer?.getData(TYPE);
    track.classList.remove("drop");
    if (!name) return;
    event.preventDefault();
    add(name, timeAt(event.clientX));
  });
  filter();
}

/** @param {import("./catalogue.js").Descriptor} one */
function row(one) {
  const made = document.createElement("li");
  made.className = `tone-${one.tone}`;
  made.draggable = true;
  made.dataset.name = one.name;
  const play = document.createElement("button");
  play.type = "button";
  play.className = one.made ? "play" : "play unmade";
  play.value = one.name;
  play.setAttribute("aria-label", `Preview of ${one.style} ${one.title}${one.made ? "" : ", not made yet"}`);
  const icon = document.querySelector("#play-icon");
  if (icon instanceof HTMLTemplateElement) play.append(icon.content.cloneNode(true));
  const words = document.createElement("div");
  const title = document.createElement("strong");
  title.textContent = one.title;
  const tags = document.createElement("p");
  tags.className = "tags";
  tags.textContent = `${one.style} · ${bpm(one.low)}–${bpm(one.high)} BPM`;
  words.append(title, tags);
  const add = document.createElement("button");
  add.type = "button";
  add.value = one.name;
  add.textContent = "Add";
  add.setAttribute("aria-label", `Add ${one.style} ${one.title}`);
  made.append(play, words, add);
  return made;
}

/** @param {string} words */
function tell(words) {
  heard.textContent = words;
  heard.hidden = !words;
}
