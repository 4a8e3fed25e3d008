// @ts-check
// What is in the way of making a piece, as far as the page can tell by itself.

import { clock } from "./grid.js";

/** @typedef {import("./timeline.js").Piece} Piece */

/**
 * Find the regions that start after the end.
 * @param {Piece | null} piece
 * @returns {Map<number, string[]>} what is to be said of each, by its number
 */
export function lateRegions(piece) {
  /** @type {Map<number, string[]>} */
  const found = new Map();
  piece?.regions.forEach(({ start }, index) => {
    if (start < piece.length) return;
    const ends = `the piece ends at ${clock(piece.length)}`;
    found.set(index, [`Region ${index + 1} starts at ${clock(start)}, but ${ends}: make the piece longer.`]);
  });
  return found;
}

/**
 * Say what is in the way; empty: nothing that is known here.
 * @param {Piece | null} piece
 * @returns {string}
 */
export function hurdle(piece) {
  if (!piece) return "";
  const isEmpty = !piece.regions.some(({ descriptor }) => descriptor);
  if (isEmpty && !piece.others.length) {
    return piece.regions.length
      ? "Nothing but silence is in the timeline yet: add a descriptor."
      : "Nothing is in the timeline yet: add a descriptor.";
  }
  return [...lateRegions(piece).values()].flat().join(" ");
}
