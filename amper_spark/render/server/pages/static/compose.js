// @ts-check
// The editor: holds the piece, and has everything else show it or change it.

import { added, emptyPiece } from "./edits.js";
import { firstUnread, forgetAll } from "./fields.js";
import { figure, snapped } from "./grid.js";
import { hurdle, lateRegions } from "./hurdles.js";
import { titleOf } from "./catalogue.js";
import { startDragging } from "./dragging.js";
import { keepDraft, keptDraft } from "./draft.js";
import { editFields, inspect, startInspector } from "./inspector.js";
import { startTyping } from "./keys.js";
import { startPalette } from "./palette.js";
import { Past } from "./past.js";
import { clearRefusal, showRefusal } from "./refusals.js";
import { newNonce, refusal, send } from "./sending.js";
import { NotShownError, read, write } from "./timeline.js";
import { draw, focusOn, reveal, track, whenResized, zoomBy } from "./track.js";
import { stop } from "./sound.js";
import { showWhole, startWhole, takeEarly } from "./whole.js";

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
const past = begun();

// What is shown

/** @param {Piece | null} [piece] shown while it is dragged */
function show(piece = past.state.piece) {
  if (piece && selected >= piece.regions.length) selected = piece.regions.length - 1;
  const late = lateRegions(piece);
  const shown = new Map([...late, ...wrong]);
  draw(piece ?? emptyPiece(), { selected, wrong: shown, most, isDragged });
  inspect(piece, selected, shown.get(selected) ?? []);
  byId("late").textContent = [...late.values()].flat().join(" ");
  byId("empty").hidden = !piece || piece.regions.length > 0;
  byId("undo").disabled = !past.before.length;
  byId("redo").disabled = !past.after.length;
  showWhole(piece);
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
  showWithFocus(words, index);
}

/** Show all; where a block had the focus, one has it then. @param {string} [words] @param {number} [index] -1: the end */
function showWithFocus(words, index) {
  const hadFocus = track.contains(document.activeElement);
  showAll(words);
  if (hadFocus) focusOn(past.state.piece?.regions.length ? (index ?? selected) : -1);
}

/** @param {boolean} isDone @param {string} words */
function travelled(isDone, words) {
  if (!isDone) return;
  clearProblems();
  showWithFocus(words);
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

function beginAnew() {
  forgetAll();
  settle(emptyPiece(), -1, "The timeline is empty. Undo brings the last one back.");
}

/** @returns {import("./grid.js").Snap} */
const snap = () => byId("snap").value;

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

/** Begin with what the page brings; what was begun before is a step back. @returns {Past<State>} */
function begun() {
  const { fresh } = text.dataset;
  const draft = keptDraft();
  const brought = understood(text.value);
  const before = draft === null ? brought : understood(draft);
  const begin = new Past(before);
  if (draft === null) selected = fresh === "add" ? 0 : -1;
  else if (fresh === "replace" && brought.text !== before.text) begin.advance(brought);
  else if (fresh === "add") {
    const name = brought.piece?.regions[0]?.descriptor ?? "";
    const to = added(before.piece ?? emptyPiece(), name, null, most);
    selected = to.index;
    begin.advance(stateOf(to.piece));
  }
  return begin;
}

// Making

/** @param {Event} event */
async function make(event) {
  event.preventDefault();
  const button = byId("make");
  if (button.disabled) return;
  clearProblems();
  stop();
  const unread = firstUnread();
  const words = unread?.words ?? hurdle(past.state.piece);
  if (words) {
    refuse(refusal(words), past.state.text);
    unread?.field.focus();
    return;
  }
  button.disabled = true;
  button.textContent = "Asking …";
  const sent = past.state.text;
  const refused = await send(sent, new FormData(form), nonce);
  button.disabled = false;
  button.textContent = "Make music";
  if (refused) refuse(refused, sent);
  else nonce = newNonce();
}

/** Make what is there, that of the field that is being filled in included. */
function makeByKey() {
  const field = document.activeElement;
  if (field instanceof HTMLElement) field.blur();
  if (field instanceof HTMLElement) field.focus();
  form.requestSubmit(byId("make"));
}

/** @param {import("./sending.js").Refusal} refusal @param {string} sent */
function refuse(refusal, sent) {
  wrong = showRefusal(refusal, past.state.piece, sent);
  if (wrong.size) selected = Math.min(...wrong.keys());
  show();
}

function clearProblems() {
  wrong = new Map();
  byId("replaced").hidden = true;
  clearRefusal(form);
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
startTyping({ ...lent, edit: editFields, undo, redo, make: makeByKey });
startInspector({ ...lent, selected: () => selected, focus: focusOn });
startPalette(add);
startWhole(lent);
byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
byId("new").addEventListener("click", beginAnew);
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
if (text.dataset.fresh === "replace" && past.before.length) {
  byId("replaced").textContent = "This has taken the place of what you had begun before: Undo brings that back.";
  byId("replaced").hidden = false;
}
takeEarly();
if (selected >= 0) reveal(selected);
tellUnread(understood(past.state.text).why);
