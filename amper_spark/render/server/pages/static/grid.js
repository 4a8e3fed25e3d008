// @ts-check
// Where times snap to, how far a key goes, and the marks of the ruler.

import { rounded } from "./timeline.js";

/** @typedef {"seconds" | "beats" | "off"} Snap */

const BEATS_PER_BAR = 4;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300];
const LONG_STEP_S = 600;
const MIN_LABEL_PX = 52;
const MIN_BAR_PX = 32;

/**
 * Say how far times that snap are apart.
 * @param {Snap} snap
 * @param {number | null} tempo
 */
export function gridStep(snap, tempo) {
  if (snap === "off") return 0.1;
  return snap === "beats" && tempo ? 60 / tempo : 1;
}

/**
 * Say how far a key goes with Shift.
 * @param {Snap} snap
 * @param {number | null} tempo
 */
export function largeStep(snap, tempo) {
  return gridStep(snap, tempo) * (snap === "beats" && tempo ? BEATS_PER_BAR : 10);
}

/**
 * Bring a time to the nearest one that is allowed.
 * @param {number} seconds
 * @param {Snap} snap
 * @param {number | null} tempo
 */
export function snapped(seconds, snap, tempo) {
  const step = snap === "off" ? 0.01 : gridStep(snap, tempo);
  return rounded(Math.round(seconds / step) * step);
}

/**
 * Go a step from a time to the next one that is allowed.
 * @param {number} seconds
 * @param {number} direction -1 or 1
 * @param {number} step
 */
export function stepped(seconds, direction, step) {
  const place = seconds / step;
  const near = Math.round(place);
  const from = Math.abs(place - near) < 1e-4 ? near : direction > 0 ? Math.floor(place) : Math.ceil(place);
  return Math.max(0, rounded((from + direction) * step));
}

/**
 * Choose the marks of a ruler.
 * @param {number} length in seconds
 * @param {number} scale pixels of a second
 * @param {number | null} tempo
 * @returns {{ time: number, kind: "strong" | "weak" | "bar", label: string }[]}
 */
export function marks(length, scale, tempo) {
  const step = STEPS_S.find((one) => one * scale >= MIN_LABEL_PX) ?? LONG_STEP_S * Math.ceil(MIN_LABEL_PX / scale / LONG_STEP_S);
  const weak = step === 1 ? 0.5 : step === 15 ? 5 : step / (step % 5 ? 2 : 5);
  const found = [];
  for (let number = 0; number * weak <= length + 1e-9; number += 1) {
    const time = rounded(number * weak);
    const isStrong = Math.abs(time / step - Math.round(time / step)) < 1e-6;
    if (isStrong || weak * scale >= 5) {
      found.push({ time, kind: isStrong ? "strong" : "weak", label: isStrong ? clock(time) : "" });
    }
  }
  return [.../** @type {any} */ (found), ...bars(length, scale, tempo)];
}

/**
 * Number the bars, as many as there is room for.
 * @param {number} length
 * @param {number} scale
 * @param {number | null} tempo
 * @returns {{ time: number, kind: "bar", label: string }[]}
 */
function bars(length, scale, tempo) {
  if (!tempo) return [];
  const bar = (60 / tempo) * BEATS_PER_BAR;
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(MIN_BAR_PX / (bar * scale))));
  const count = Math.ceil(length / bar / every - 1e-9);
  return Array.from({ length: count }, (_, at) => (
    { time: at * every * bar, kind: "bar", label: `${at * every + 1}` }
  ));
}

/**
 * Write a time as people do.
 * @param {number} seconds
 */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = tenths % 600;
  const tenth = rest % 10 ? `.${rest % 10}` : "";
  return `${Math.floor(tenths / 600)}:${String(Math.floor(rest / 10)).padStart(2, "0")}${tenth}`;
}

/**
 * Write a tempo, to the tenth of a beat per minute.
 * @param {number} tempo
 */
export function bpm(tempo) {
  return String(Math.round(tempo * 10) / 10);
}

/**
 * Write a number of seconds, to the hundredth.
 * @param {number} seconds
 */
export function figure(seconds) {
  return String(Math.round(seconds * 100) / 100);
}
