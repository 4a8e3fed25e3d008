// @ts-check
// Regions, borders and the end, dragged by mouse, pen or finger.

import { bordered, lengthened, moved } from "./edits.js";
import { snapped } from "./grid.js";
import { indexOf, scale, track } from "./track.js";

/** @typedef {import("./timeline.js").Piece} Piece */
/** @typedef {import("./grid.js").Snap} Snap */

const SLACK_PX = 3;

/**
 * What the editor lends to whoever drags.
 * @typedef {object} Editing
 * @property {() => Piece | null} piece as it is
 * @property {() => Snap} snap
 * @property {number} most seconds that a piece can last
 * @property {(index: number) => void} select
 * @property {(piece: Piece, index: number) => void} show draws what it would be
 * @property {(piece: Piece, index: number) => void} settle makes it so
 * @property {() => void} restore draws it as it is again
 */

/** @param {Editing} editing */
export function startDragging(editing) {
  /** @type {{ index: number, kind: "border" | "move" | "end", x: number, from: Piece, last: [Piece, number] | null } | null} */
  let drag = null;

  track.addEventListener("pointerdown", (event) => {
    const index = indexOf(event.target);
    const isEdge = event.target instanceof Element && event.target.classList.contains("edge");
    if (index === null || event.button !== 0) return;
    // A field that is still being filled in is done with now: what it says counts before the drag does.
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
    const from = editing.piece();
    if (!from || index >= from.regions.length) return;
    drag = { index, kind: index < 0 ? "end" : isEdge ? "border" : "move", x: event.clientX, from, last: null };
    if (index >= 0) editing.select(index);
    // Blocks may change places while they are dragged: the track stays.
    track.setPointerCapture(event.pointerId);
  });

  track.addEventListener("pointermove", (event) => {
    if (!drag || (!drag.last && Math.abs(event.clientX - drag.x) < SLACK_PX)) return;
    const offset = (event.clientX - drag.x) / scale();
    drag.last = dragged(drag, offset, event.altKey ? "off" : editing.snap(), editing.most);
    track.classList.add("dragging");
    editing.show(...drag.last);
  });

  track.addEventListener("pointerup", () => {
    const last = drag?.last;
    finish();
    if (last) editing.settle(...last);
  });
  track.addEventListener("pointercancel", cancel);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drag) cancel();
  });

  function finish() {
    drag = null;
    track.classList.remove("dragging");
  }

  function cancel() {
    finish();
    editing.restore();
  }
}

/**
 * @param {{ index: number, kind: "border" | "move" | "end", from: Piece }} drag
 * @param {number} offset in seconds
 * @param {Snap} snap
 * @param {number} most
 * @returns {[Piece, number]}
 */
function dragged({ index, kind, from }, offset, snap, most) {
  /** @param {number} seconds */
  const near = (seconds) => snapped(Math.max(0, seconds + offset), snap, from.tempo);
  if (kind === "end") return [lengthened(from, near(from.length), most), -1];
  const start = near(from.regions[index].start);
  if (kind === "border") return [bordered(from, index, start), index];
  const to = moved(from, index, start, most);
  return [to.piece, to.index];
}
