// @ts-check
// The timeline by keyboard: blocks are sliders, and more.

import { bordered, boundsOf, lengthBounds, lengthened, removed, swapped } from "./edits.js";
import { gridStep, largeStep, stepped } from "./grid.js";
import { indexOf, track } from "./track.js";

/** @typedef {import("./timeline.js").Piece} Piece */

/**
 * What the editor lends to the keyboard.
 * @typedef {object} Typing
 * @property {() => Piece | null} piece
 * @property {() => import("./grid.js").Snap} snap
 * @property {number} most
 * @property {(index: number) => void} select
 * @property {(piece: Piece, index: number, words?: string) => void} settle
 * @property {() => void} edit leads to the fields of the selected region
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => void} make
 */

/** @param {Typing} typing */
export function startTyping(typing) {
  track.addEventListener("focusin", (event) => {
    const index = indexOf(event.target);
    if (index !== null && index >= 0) typing.select(index);
  });
  track.addEventListener("keydown", (event) => {
    const [index, piece] = [indexOf(event.target), typing.piece()];
    if (index === null || !piece || event.ctrlKey || event.metaKey) return;
    const isDone = index < 0 ? typedAtEnd(event, piece, typing) : typedAtRegion(event, piece, index, typing);
    if (isDone) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      typing.make();
      return;
    }
    const isUndoing = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!isUndoing || event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
    event.preventDefault();
    if (event.shiftKey) typing.redo();
    else typing.undo();
  });
}

/**
 * @param {KeyboardEvent} event
 * @param {Piece} piece
 * @param {number} index
 * @param {Typing} typing
 */
function typedAtRegion(event, piece, index, typing) {
  if (event.altKey) return reordered(event, piece, index, typing);
  if (event.key === "Enter") typing.edit();
  else if (event.key === "Delete" || event.key === "Backspace") {
    typing.settle(removed(piece, index), Math.min(index, piece.regions.length - 2), "Removed.");
  } else {
    const { start } = piece.regions[index];
    const to = valueAfter(event, start, boundsOf(piece, index), piece, typing);
    if (to === null) return false;
    typing.settle(bordered(piece, index, to), index);
  }
  return true;
}

/**
 * @param {KeyboardEvent} event
 * @param {Piece} piece
 * @param {number} index
 * @param {Typing} typing
 */
function reordered(event, piece, index, typing) {
  if (event.key === "ArrowUp" && index > 0) {
    typing.settle(swapped(piece, index - 1), index - 1, `Now number ${index} of ${piece.regions.length}.`);
  } else if (event.key === "ArrowDown" && index + 1 < piece.regions.length) {
    typing.settle(swapped(piece, index), index + 1, `Now number ${index + 2} of ${piece.regions.length}.`);
  } else {
    return event.key === "ArrowUp" || event.key === "ArrowDown";
  }
  return true;
}

/**
 * @param {KeyboardEvent} event
 * @param {Piece} piece
 * @param {Typing} typing
 */
function typedAtEnd(event, piece, typing) {
  const to = event.altKey ? null : valueAfter(event, piece.length, lengthBounds(piece, typing.most), piece, typing);
  if (to === null) return false;
  typing.settle(lengthened(piece, to, typing.most), -1);
  return true;
}

/**
 * Say where a key of sliders leads; null where it is none.
 * @param {KeyboardEvent} event
 * @param {number} now
 * @param {{ low: number, high: number }} bounds
 * @param {Piece} piece
 * @param {Typing} typing
 */
function valueAfter(event, now, { low, high }, piece, typing) {
  const [small, large] = [gridStep(typing.snap(), piece.tempo), largeStep(typing.snap(), piece.tempo)];
  const step = event.shiftKey ? large : small;
  /** @type {Record<string, () => number>} */
  const leads = {
    ArrowLeft: () => near(now, -1, step, small),
    ArrowDown: () => near(now, -1, step, small),
    ArrowRight: () => near(now, 1, step, small),
    ArrowUp: () => near(now, 1, step, small),
    PageDown: () => near(now, -1, large, small),
    PageUp: () => near(now, 1, large, small),
    Home: () => low,
    End: () => high,
  };
  return leads[event.key]?.() ?? null;
}

/**
 * Go a step: a small one to the next time of the grid, a large one as far as it says.
 * @param {number} now
 * @param {number} direction
 * @param {number} step
 * @param {number} small
 */
function near(now, direction, step, small) {
  return step === small ? stepped(now, direction, small) : Math.max(0, now + direction * step);
}
