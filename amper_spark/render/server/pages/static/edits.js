// @ts-check
// What can be done to a piece: each edit returns another piece, and leaves the one it got as it was.

import { endOf, rounded, SILENCE } from "./timeline.js";

/** @typedef {import("./timeline.js").Piece} Piece */
/** @typedef {import("./timeline.js").Region} Region */

/** A region is no shorter. */
export const MIN_S = 0.5;

const FIRST_S = 30;
const NEXT_S = 15;

/** @returns {Piece} */
export function emptyPiece() {
  return { length: FIRST_S, tempo: null, seed: null, regions: [], others: [], span: {}, rest: {} };
}

/**
 * Say between which times a region can start.
 * @param {Piece} piece
 * @param {number} index
 */
export function boundsOf(piece, index) {
  const low = index ? piece.regions[index - 1].start + MIN_S : 0;
  return { low, high: Math.max(low, endOf(piece, index) - MIN_S) };
}

/**
 * Say between which times a piece can end.
 * @param {Piece} piece
 * @param {number} most
 */
export function lengthBounds(piece, most) {
  const last = piece.regions.at(-1);
  return { low: (last ? last.start : 0) + MIN_S, high: most };
}

/**
 * Change something about a region.
 * @param {Piece} piece
 * @param {number} index
 * @param {Partial<Region>} change
 * @returns {Piece}
 */
export function changed(piece, index, change) {
  return { ...piece, regions: piece.regions.map((region, at) => (at === index ? { ...region, ...change } : region)) };
}

/**
 * Set the tempo of the whole piece; without one, each region has its own.
 * @param {Piece} piece
 * @param {number | null} tempo
 * @returns {Piece}
 */
export function atTempo(piece, tempo) {
  const ownTempo = tempo === null;
  return { ...piece, tempo, regions: piece.regions.map((region) => ({ ...region, ownTempo: ownTempo && Boolean(region.descriptor) })) };
}

/**
 * Move the border before a region.
 * @param {Piece} piece
 * @param {number} index
 * @param {number} start
 */
export function bordered(piece, index, start) {
  return changed(piece, index, { start: clamped(start, boundsOf(piece, index)) });
}

/**
 * Let the piece end at another time.
 * @param {Piece} piece
 * @param {number} length
 * @param {number} most
 * @returns {Piece}
 */
export function lengthened(piece, length, most) {
  return { ...piece, length: clamped(length, lengthBounds(piece, most)) };
}

/**
 * Let a region end at another time: where the next one starts, or the piece ends.
 * @param {Piece} piece
 * @param {number} index
 * @param {number} end
 * @param {number} most
 */
export function ended(piece, index, end, most) {
  return index + 1 < piece.regions.length ? bordered(piece, index + 1, end) : lengthened(piece, end, most);
}

/**
 * Move a region as long as it is; where its middle passes that of a neighbour, they change places.
 * The piece gets longer or shorter only where it is the last region that is moved.
 * @param {Piece} piece
 * @param {number} index
 * @param {number} start
 * @param {number} most
 * @returns {{ piece: Piece, index: number }}
 */
export function moved(piece, index, start, most) {
  return movedWithin(piece, index, start, index + 1 === piece.regions.length ? most : piece.length);
}

/**
 * @param {Piece} piece
 * @param {number} index
 * @param {number} start
 * @param {number} most
 * @returns {{ piece: Piece, index: number }}
 */
function movedWithin(piece, index, start, most) {
  const duration = endOf(piece, index) - piece.regions[index].start;
  const middle = start + duration / 2;
  if (index + 1 < piece.regions.length && middle > (piece.regions[index + 1].start + endOf(piece, index + 1)) / 2) {
    return movedWithin(swapped(piece, index), index + 1, start, most);
  }
  if (index && middle < (piece.regions[index - 1].start + piece.regions[index].start) / 2) {
    return movedWithin(swapped(piece, index - 1), index - 1, start, most);
  }
  const isLast = index + 1 === piece.regions.length;
  const { low } = boundsOf(piece, index);
  const high = (isLast ? most : endOf(piece, index + 1) - MIN_S) - duration;
  const at = clamped(start, { low, high: Math.max(low, high) });
  // The border that is ahead moves first: neither passes the other.
  const end = at + duration;
  if (at > piece.regions[index].start) return { piece: bordered(ended(piece, index, end, most), index, at), index };
  return { piece: ended(bordered(piece, index, at), index, end, most), index };
}

/**
 * Let a region and the next one change places, each as long as it is.
 * @param {Piece} piece
 * @param {number} index of the earlier one
 * @returns {Piece}
 */
export function swapped(piece, index) {
  const [first, second] = [piece.regions[index], piece.regions[index + 1]];
  if (!first || !second) return piece;
  const border = rounded(first.start + endOf(piece, index + 1) - second.start);
  const regions = [...piece.regions];
  regions.splice(index, 2, { ...second, start: first.start }, { ...first, start: border });
  return { ...piece, regions };
}

/**
 * Add a region: at a time, which parts the region there; or else at the end, which makes the piece longer.
 * @param {Piece} piece
 * @param {string} descriptor empty: silence
 * @param {number | null} at
 * @param {number} most
 * @returns {{ piece: Piece, index: number }}
 */
export function added(piece, descriptor, at, most) {
  const region = { ...SILENCE, descriptor, ownTempo: Boolean(descriptor) && piece.tempo === null };
  if (!piece.regions.length) return { piece: { ...piece, regions: [region] }, index: 0 };
  if (at === null) return appended(piece, region, most);
  const bounds = { low: 0, high: piece.length - MIN_S };
  let start = clamped(at, bounds);
  const near = piece.regions.findIndex((other) => Math.abs(other.start - start) < MIN_S);
  if (near >= 0) {
    // Where one starts already, it makes room: half of its time.
    const half = rounded((piece.regions[near].start + endOf(piece, near)) / 2);
    if (half - piece.regions[near].start < MIN_S) return appended(piece, region, most);
    start = piece.regions[near].start;
    return inserted(bordered(piece, near, half), { ...region, start });
  }
  return inserted(piece, { ...region, start });
}

/**
 * Add a region that is like another one, after it.
 * @param {Piece} piece
 * @param {number} index
 * @param {number} most
 */
export function doubled(piece, index, most) {
  const duration = Math.min(endOf(piece, index) - piece.regions[index].start, most - piece.length);
  if (duration < MIN_S) return { piece, index };
  const start = endOf(piece, index);
  const later = piece.regions.map((region, at) => (at > index ? { ...region, start: rounded(region.start + duration) } : region));
  const { id: _, ...more } = piece.regions[index].more;
  const copy = { ...piece.regions[index], start, more };
  later.splice(index + 1, 0, copy);
  return { piece: { ...piece, regions: later, length: rounded(piece.length + duration) }, index: index + 1 };
}

/**
 * Remove a region: the one before it lasts as long, or the next one starts where it did.
 * @param {Piece} piece
 * @param {number} index
 * @returns {Piece}
 */
export function removed(piece, index) {
  const { start } = piece.regions[index];
  const regions = piece.regions.filter((_, at) => at !== index);
  if (index === 0 && regions.length) regions[0] = { ...regions[0], start };
  return { ...piece, regions };
}

/**
 * @param {Piece} piece
 * @param {Region} region
 * @param {number} most
 */
function appended(piece, region, most) {
  const duration = Math.min(NEXT_S, most - piece.length);
  if (duration >= MIN_S) {
    const longer = { ...piece, length: rounded(piece.length + duration) };
    return inserted(longer, { ...region, start: piece.length });
  }
  const last = piece.regions.length - 1;
  return inserted(piece, { ...region, start: rounded((piece.regions[last].start + piece.length) / 2) });
}

/**
 * @param {Piece} piece
 * @param {Region} region
 */
function inserted(piece, region) {
  const found = piece.regions.findIndex((other) => other.start > region.start);
  const index = found < 0 ? piece.regions.length : found;
  const regions = [...piece.regions];
  regions.splice(index, 0, region);
  return { piece: { ...piece, regions }, index };
}

/**
 * @param {number} value
 * @param {{ low: number, high: number }} bounds
 */
function clamped(value, { low, high }) {
  return rounded(Math.min(high, Math.max(low, value)));
}
