// @ts-check
// The fields of the selected region.

import { bordered, changed, doubled, ended, removed, swapped } from "./edits.js";
import { forget, isUnread, secondsOf, TIME_WORDS, watch } from "./fields.js";
import { bpm, figure } from "./grid.js";
import { descriptor, titleOf } from "./catalogue.js";
import { endOf, SILENCE, usualRing } from "./timeline.js";

/** @typedef {import("./timeline.js").Piece} Piece */

/** @param {string} id @returns {any} */
const field = (id) => document.getElementById(id);
const fields = field("inspector-fields");
const TIMES = ["of-start", "of-length", "of-ring"];

/** Which region is shown, and of how many. */
let shown = "";

/**
 * What the editor lends to the fields.
 * @typedef {object} Fields
 * @property {() => Piece | null} piece
 * @property {() => number} selected
 * @property {number} most
 * @property {(piece: Piece, index: number, words?: string) => void} settle
 * @property {(index: number) => void} focus
 */

/** @param {Fields} editing */
export function startInspector(editing) {
  /** @param {string} id @param {(piece: Piece, index: number, text: string) => Piece} edit */
  const on = (id, edit) =>
    field(id).addEventListener("change", () => {
      const piece = editing.piece();
      if (piece) editing.settle(edit(piece, editing.selected(), field(id).value.trim()), editing.selected());
    });
  on("of-descriptor", (piece, index, text) =>
    changed(piece, index, text === "silence" || !text ? { ...SILENCE, start: piece.regions[index].start } : { descriptor: text }));
  /** @param {string} id @param {(piece: Piece, index: number, seconds: number | null) => Piece} edit */
  const onTime = (id, edit) =>
    watch(field(id), secondsOf, TIME_WORDS, (seconds) => {
      const [piece, index] = [editing.piece(), editing.selected()];
      if (piece?.regions[index]) editing.settle(edit(piece, index, seconds), index);
    });
  onTime("of-start", (piece, index, start) => (start === null ? piece : bordered(piece, index, start)));
  onTime("of-length", (piece, index, length) =>
    length === null ? piece : ended(piece, index, piece.regions[index].start + length, editing.most));
  on("of-ending", (piece, index, text) => changed(piece, index, { ending: /** @type {any} */ (text), ring: null }));
  onTime("of-ring", (piece, index, ring) => changed(piece, index, { ring: ring !== null && ring > 0 ? ring : null }));
  field("of-own").addEventListener("change", () => {
    const [piece, index] = [editing.piece(), editing.selected()];
    if (piece) editing.settle(changed(piece, index, { ownTempo: field("of-own").checked }), index);
  });
  on("of-tonic", (piece, index, text) => changed(piece, index, { tonic: text }));
  on("of-quality", (piece, index, text) => changed(piece, index, { quality: text }));

  field("inspector").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !editing.piece()?.regions.length) return;
    event.preventDefault();
    editing.focus(editing.selected());
  });

  /** @param {string} id @param {(piece: Piece, index: number) => { piece: Piece, index: number }} edit @param {string} words */
  const press = (id, edit, words) =>
    field(id).addEventListener("click", () => {
      const piece = editing.piece();
      if (!piece) return;
      const to = edit(piece, editing.selected());
      editing.settle(to.piece, to.index, words);
      if (to.piece.regions.length && field(id).disabled) editing.focus(to.index);
    });
  press("earlier", (piece, index) => ({ piece: swapped(piece, index - 1), index: index - 1 }), "Moved earlier.");
  press("later", (piece, index) => ({ piece: swapped(piece, index), index: index + 1 }), "Moved later.");
  press("twice", (piece, index) => doubled(piece, index, editing.most), "Duplicated.");
  field("remove").addEventListener("click", () => {
    const [piece, index] = [editing.piece(), editing.selected()];
    if (!piece) return;
    editing.settle(removed(piece, index), Math.min(index, piece.regions.length - 2), "Removed.");
    editing.focus(Math.min(index, piece.regions.length - 2));
  });
}

/** Lead the keyboard to the fields. */
export function editFields() {
  field("of-descriptor").focus();
}

/**
 * Show a region.
 * @param {Piece | null} piece
 * @param {number} index
 * @param {string[]} problems
 */
export function inspect(piece, index, problems) {
  const region = piece?.regions[index];
  const now = `${index} ${piece?.regions.length}`;
  if (now !== shown) for (const id of TIMES) forget(field(id));
  shown = now;
  fields.hidden = !region;
  field("unselected").hidden = Boolean(region);
  field("inspected").textContent = region ? `${index + 1}. ${titleOf(region.descriptor)}` : "No region is selected";
  if (!piece || !region) return;
  const duration = endOf(piece, index) - region.start;
  show("of-descriptor", region.descriptor || "silence");
  show("of-start", figure(region.start));
  show("of-length", figure(duration));
  show("of-ending", region.ending);
  show("of-ring", figure(region.ring ?? usualRing(duration)));
  field("of-own").checked = region.ownTempo;
  choose("of-tonic", region.tonic);
  choose("of-quality", region.quality);
  field("of-ring").closest("label").hidden = region.ending !== "ringout";
  for (const id of ["of-ending", "of-tonic", "of-quality", "of-own"]) field(id).disabled = !region.descriptor;
  field("of-descriptor").setAttribute("aria-invalid", String(Boolean(region.descriptor) && !descriptor(region.descriptor)));
  field("earlier").disabled = index === 0;
  field("later").disabled = index + 1 >= piece.regions.length;
  field("of-more").textContent = more(region);
  field("of-problems").replaceChildren(...problems.map(item));
}

/** @param {import("./timeline.js").Region} region */
function more({ descriptor: name, beside, more: inside }) {
  const known = descriptor(name);
  const told = Object.entries({ ...beside, ...inside }).filter(([key]) => key !== "id").map(([key, value]) => {
    const words = Array.isArray(value) ? value.join(", ") : typeof value === "number" ? (key.includes("tempo") ? bpm(value) : figure(value)) : JSON.stringify(value);
    return `${key.replaceAll("_", " ")}: ${words.replaceAll("_", " ")}.`;
  });
  return [known ? `${known.style}, ${bpm(known.low)}–${bpm(known.high)} BPM.` : "", ...told].join(" ").trim();
}

/** @param {string} id @param {string} value */
function show(id, value) {
  if (field(id).value !== value && !isUnread(field(id))) field(id).value = value;
}

/** Choose a value, also one that is not among the usual ones. @param {string} id @param {string} value */
function choose(id, value) {
  const select = /** @type {HTMLSelectElement} */ (field(id));
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
  select.value = value;
}

/** @param {string} words */
function item(words) {
  const made = document.createElement("li");
  made.textContent = words;
  return made;
}
