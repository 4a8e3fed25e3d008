// @ts-check
// The fields of the whole piece: its length, tempo and seed.

import { atTempo, lengthBounds, lengthened } from "./edits.js";
import { forget, isUnread, numberOf, secondsOf, TIME_WORDS, watch } from "./fields.js";
import { clock, figure } from "./grid.js";
import { kept } from "./timeline.js";

/** @typedef {import("./timeline.js").Piece} Piece */

const TEMPO_WORDS = "This is no tempo: say a number of beats per minute, such as 120, or nothing.";
const SEED_WORDS = `This is no seed: say a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, or nothing.`;

/** What people call what keys of timelines say. @type {readonly [RegExp, string][]} */
const NAMES = [
  [/instrument/, "instruments"],
  [/tempo/, "tempo changes"],
  [/hit/, "hits"],
  [/meta/, "metadata"],
];

/** @param {string} id @returns {any} */
const field = (id) => document.getElementById(id);
const fields = ["length", "tempo", "seed"].map(field);

/** What people have typed before this script came, on a slow line. @type {readonly [HTMLInputElement, string][]} */
const early = fields.filter((one) => one.value !== one.defaultValue).map((one) => [one, one.value]);

/**
 * What the editor lends to the fields.
 * @typedef {object} Whole
 * @property {() => Piece | null} piece
 * @property {number} most seconds that a piece can last
 * @property {(piece: Piece, index: number, words?: string) => void} settle
 */

/** @param {Whole} editing */
export function startWhole({ piece: current, most, settle }) {
  watch(field("length"), secondsOf, TIME_WORDS, (length) => {
    const piece = current();
    if (!piece || length === null) {
      showWhole(piece);
      return;
    }
    settle(lengthened(piece, length, most), -1);
    return outOf(piece, length, most);
  });
  watch(field("tempo"), tempoOf, TEMPO_WORDS, (tempo) => {
    const piece = current();
    if (piece) settle(atTempo(piece, tempo), -1);
  });
  watch(field("seed"), seedOf, SEED_WORDS, (seed) => {
    const piece = current();
    if (piece) settle({ ...piece, seed }, -1);
  });
}

/** Take what was typed before there was a piece to take it. */
export function takeEarly() {
  for (const [one, typed] of early) {
    one.value = typed;
    one.dispatchEvent(new Event("change"));
  }
}

/**
 * Show what they are; where there is no piece that can be shown, they say nothing.
 * @param {Piece | null} piece
 */
export function showWhole(piece) {
  for (const one of fields) {
    one.disabled = !piece;
    if (!piece) forget(one);
  }
  field("kept").hidden = true;
  if (!piece) return;
  const values = [figure(piece.length), piece.tempo === null ? "" : figure(piece.tempo), String(piece.seed ?? "")];
  fields.forEach((one, place) => {
    if (!isUnread(one)) one.value = values[place];
  });
  const more = [...new Set(kept(piece).map(named))];
  field("kept").hidden = !more.length;
  field("kept").textContent = `${capitalized(listed(more))} are kept; edit them in the JSON.`;
}

/**
 * Say why a length is not taken as it was told.
 * @param {Piece} piece
 * @param {number} length
 * @param {number} most
 */
function outOf(piece, length, most) {
  const { low } = lengthBounds(piece, most);
  if (length > most) return `A piece lasts ${clock(most)} at most.`;
  if (length >= low) return "";
  const last = piece.regions.at(-1);
  if (!last) return `A piece lasts ${figure(low)} s at least.`;
  return `Region ${piece.regions.length} starts at ${clock(last.start)}: the piece cannot end before ${clock(low)}.`;
}

/** @param {string} text */
function tempoOf(text) {
  const tempo = numberOf(text);
  return tempo > 0 ? tempo : NaN;
}

/** @param {string} text */
function seedOf(text) {
  const seed = /^\+?\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(seed) ? seed : NaN;
}

/** @param {string} key */
function named(key) {
  return NAMES.find(([pattern]) => pattern.test(key))?.[1] ?? key.replaceAll("_", " ");
}

/** @param {string[]} names */
function listed(names) {
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join("");
}

/** @param {string} words */
function capitalized(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
