// @ts-check
// The editor: holds the piece, and has everything else show it or change it.

import { added, atTempo, emptyPiece, lengthened } from "./edits.js";
import { figure, snapped } from "./grid.js";
import { titleOf } from "./catalogue.js";
import { startDragging } from "./dragging.js";
import { keepDraft, keptDraft } from "./draft.js";
import { editFields, inspect, startInspector } from "./inspector.js";
import { startTyping } from "./keys.js";
import { startPalette } from "./palette.js";
import { Past } from "./past.js";
import { newNonce, placeOf, send } from "./sending.js";
import { kept, NotShownError, read, write } from "./timeline.js";
import { draw, focusOn, reveal, track, whenResized, zoomBy } from "./track.js";
import { stop } from "./sound.js";

/** @typedef {import("./timeline.js").Piece} Piece */

/**
 * @typedef {object} State
 * @property {Piece | null} piece null: the text is no timeline that can be shown
 * @property {string} text its JSON
 */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
const form = /** @type {HTMLFormElement} */ (byId("compose"));
const text = /** @type {HTMLTextAreaElement} */ (byId("timeline"));
const most = Number(byId("length").max);

let selected = -1;
let isDragged = false;
/** @type {Map<number, string[]>} */
let wrong = new Map();
let nonce = newNonce();
const past = new Past(first());

// What is shown

/** @param {Piece | null} [piece] shown while it is dragged */
function show(piece = past.state.piece) {
  if (piece && selected >= piece.regions.length) selected = piece.regions.length - 1;
  draw(piece ?? emptyPiece(), { selected, wrong, most, isDragged });
  inspect(piece, selected, wrong.get(selected) ?? []);
  byId("empty").hidden = !piece || piece.regions.length > 0;
  byId("undo").disabled = !past.before.length;
  byId("redo").disabled = !past.after.length;
  if (!piece) return;
  byId("length").value = figure(piece.length);
  byId("tempo").value = piece.tempo === null ? "" : figure(piece.tempo);
  byId("seed").value = piece.seed ?? "";
  const more = kept(piece);
  byId("kept").hidden = !more.length;
  byId("kept").textContent = `Kept as it is, and changed in the JSON below: ${more.join(", ").replaceAll("_", " ")}.`;
}

/** Show the state, the JSON included. @param {string} [words] */
function showAll(words = "") {
  if (text.value !== past.state.text) text.value = past.state.text;
  byId("announced").textContent = words;
  tellUnread("");
  show();
  keepDraft(past.state.text);
}

// What changes it

/** @param {Piece} piece @param {number} index @param {string} [words] */
function settle(piece, index, words) {
  isDragged = false;
  clearProblems();
  selected = index >= 0 ? index : selected;
  past.advance(stateOf(piece));
  showAll(words);
  if (track.contains(document.activeElement)) focusOn(piece.regions.length ? index : -1);
}

/** @param {boolean} isDone @param {string} words */
function travelled(isDone, words) {
  if (!isDone) return;
  clearProblems();
  showAll(words);
}

const undo = () => travelled(past.undo(), "Undone.");
const redo = () => travelled(past.redo(), "Done again.");

/** @param {number} index */
function select(index) {
  if (selected === index) return;
  selected = index;
  show();
}

/** @param {string} descriptor @param {number | null} at */
function add(descriptor, at) {
  const piece = past.state.piece ?? emptyPiece();
  const to = added(piece, descriptor, at === null ? null : snapped(at, snap(), piece.tempo), most);
  const where = to.piece.regions[to.index].start;
  settle(to.piece, to.index, `${titleOf(descriptor)} added at ${figure(where)} s.`);
  reveal(to.index);
}

/** @returns {import("./grid.js").Snap} */
const snap = () => byId("snap").value;

/**
 * @param {string} id
 * @param {(piece: Piece, value: number | null) => Piece} edit
 * @param {(value: number) => boolean} [isUsable]
 */
function whole(id, edit, isUsable = Number.isFinite) {
  byId(id).addEventListener("change", () => {
    const { piece } = past.state;
    const told = byId(id).value.trim().replace(",", ".");
    const value = told ? Number(told) : null;
    const isRead = piece !== null && (value === null || isUsable(value));
    if (isRead) settle(edit(piece, value), -1);
    byId(id).setAttribute("aria-invalid", String(!isRead));
  });
}

// The JSON

/** @param {Piece} piece @returns {State} */
function stateOf(piece) {
  return { piece, text: JSON.stringify(write(piece), null, 2) };
}

/** @param {string} json @returns {State & { why: string }} */
function understood(json) {
  try {
    return { piece: read(JSON.parse(json)), text: json, why: "" };
  } catch (error) {
    const isJson = error instanceof NotShownError;
    const why = isJson
      ? `The editor cannot show this timeline: ${error.message}. It can be made all the same.`
      : `This is no JSON yet: ${/** @type {Error} */ (error).message}`;
    return { piece: null, text: json, why };
  }
}

/** @param {string} words */
function tellUnread(words) {
  byId("unread").textContent = words;
  byId("unread").hidden = !words;
}

/** Begin with what the page brings, or what was begun before. @returns {State} */
function first() {
  const { fresh } = text.dataset;
  const draft = keptDraft();
  const brought = understood(text.value);
  if (fresh === "replace" || draft === null) return brought;
  const before = understood(draft);
  if (fresh !== "add") return before;
  const name = brought.piece?.regions[0]?.descriptor ?? "";
  return before.piece ? stateOf(added(before.piece, name, null, most).piece) : brought;
}

// Making

/** @param {Event} event */
async function make(event) {
  event.preventDefault();
  const button = byId("make");
  if (button.disabled) return;
  clearProblems();
  stop();
  button.disabled = true;
  button.textContent = "Asking …";
  const sent = past.state.text;
  const refusal = await send(sent, new FormData(form), nonce);
  button.disabled = false;
  button.textContent = "Make music";
  if (!refusal) {
    nonce = newNonce();
    return;
  }
  showProblems(refusal, sent);
}

/** @param {import("./sending.js").Refusal} refusal @param {string} sent */
function showProblems({ words, problems, mustSignIn }, sent) {
  const { piece } = past.state;
  const regions = piece?.regions ?? [];
  const document = piece ? JSON.parse(sent) : null;
  wrong = new Map();
  const items = problems.map(({ pointer, detail }) => {
    const place = placeOf(pointer, document, regions);
    if (typeof place === "number") wrong.set(place, [...(wrong.get(place) ?? []), `${inRegion(pointer)}${detail}`]);
    if (typeof place === "string") byId(place).setAttribute("aria-invalid", "true");
    return element("li", `${where(pointer, place)}${detail}`);
  });
  const said = byId("said");
  said.replaceChildren(element("p", words));
  if (items.length) said.append(list(items));
  if (mustSignIn) said.append(link("/sign-in?next=/compose", "Sign in again"));
  said.hidden = false;
  said.scrollIntoView({ block: "nearest" });
  if (wrong.size) selected = Math.min(...wrong.keys());
  show();
}

/** @param {string} pointer @param {string | number | null} place */
function where(pointer, place) {
  const names = { tempo: "Tempo: ", length: "Length: ", seed: "Seed: ", name: "" };
  if (typeof place === "string") return names[/** @type {keyof typeof names} */ (place)] ?? "";
  if (typeof place === "number") return `Region ${place + 1}, ${inRegion(pointer)}`.replace(/, $/, ": ");
  return pointer ? `${pointer}: ` : "";
}

/** Say what of a region a problem is about. @param {string} pointer */
function inRegion(pointer) {
  const words = pointer.split("/").slice(5).filter((word) => word !== "add_region");
  return words.length ? `${words.join(" ").replaceAll("_", " ")}: ` : "";
}

function clearProblems() {
  wrong = new Map();
  byId("said").hidden = true;
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** @param {string} tag @param {string} words */
function element(tag, words) {
  const made = document.createElement(tag);
  made.textContent = words;
  return made;
}

/** @param {HTMLElement[]} items */
function list(items) {
  const made = document.createElement("ul");
  made.append(...items);
  return made;
}

/** @param {string} url @param {string} words */
function link(url, words) {
  const made = document.createElement("a");
  made.href = url;
  made.className = "button";
  made.textContent = words;
  return made;
}

// Beginning

const lent = { piece: () => past.state.piece, snap, most, select, settle };
startDragging({
  ...lent,
  show: (piece, index) => {
    isDragged = true;
    selected = index;
    show(piece);
  },
  restore: () => {
    isDragged = false;
    show();
  },
});
startTyping({ ...lent, edit: editFields, undo, redo });
startInspector({ ...lent, selected: () => selected, focus: focusOn });
startPalette(add);
whole("length", (piece, value) => (value === null ? piece : lengthened(piece, value, most)));
whole("tempo", atTempo);
whole("seed", (piece, value) => ({ ...piece, seed: value }), Number.isSafeInteger);
byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
for (const [id, factor] of /** @type {const} */ ([["zoom-in", 1.5], ["zoom-out", 1 / 1.5], ["zoom-fit", 0]])) {
  byId(id).addEventListener("click", () => {
    zoomBy(factor);
    show();
  });
}
text.addEventListener("input", () => {
  const { why, ...state } = understood(text.value);
  clearProblems();
  past.advance(state);
  tellUnread(why);
  show();
  keepDraft(text.value);
});
byId("copy").addEventListener("click", () => {
  text.select();
  navigator.clipboard?.writeText(text.value).then(
    () => (byId("announced").textContent = "Copied."),
    () => undefined,
  );
});
form.addEventListener("submit", make);
for (const field of document.querySelectorAll(".rows :is(input, select, button)")) {
  /** @type {HTMLInputElement} */ (field).disabled = true;
}
whenResized(() => show());
if (location.search) history.replaceState(null, "", location.pathname);
showAll();
tellUnread(understood(past.state.text).why);
