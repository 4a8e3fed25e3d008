// @ts-check
// Draws a piece: a ruler, its regions as blocks, and its end. Blocks are sliders, whose value is their start.

import { boundsOf, lengthBounds, MIN_S } from "./edits.js";
import { clock, figure, marks } from "./grid.js";
import { descriptor, titleOf, toneOf } from "./catalogue.js";
import { endOf, usualRing } from "./timeline.js";

/** @typedef {import("./timeline.js").Piece} Piece */

// Behind the end, into which it can be dragged, and for the ruler's last label.
const ROOM_PX = 40;
const ROOM_SHARE = 0.04;
const ENOUGH_ZOOM = 32;

const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
const canvas = /** @type {HTMLElement} */ (document.getElementById("canvas"));
const ruler = /** @type {HTMLElement} */ (document.getElementById("ruler"));
export const track = /** @type {HTMLElement} */ (document.getElementById("track"));

const end = handle("end");
let zoom = 1;
let shown = 1;

/** @param {number} factor 0: fit */
export function zoomBy(factor) {
  zoom = factor ? Math.min(ENOUGH_ZOOM, Math.max(1, zoom * factor)) : 1;
}

/** @returns {number} pixels of a second */
export function scale() {
  return track.clientWidth / shown;
}

/** @param {number} clientX */
export function timeAt(clientX) {
  return (clientX - track.getBoundingClientRect().left) / scale();
}

/** @param {number} index -1: the end */
export function focusOn(index) {
  const block = index < 0 ? end : track.children[index];
  if (block instanceof HTMLElement) block.focus();
}

/** @param {EventTarget | null} target */
export function indexOf(target) {
  const block = target instanceof Element ? target.closest(".region, .end") : null;
  if (!block || !track.contains(block)) return null;
  return block === end ? -1 : [...track.children].indexOf(block);
}

/**
 * Draw a piece.
 * @param {Piece} piece
 * @param {object} state
 * @param {number} state.selected
 * @param {ReadonlyMap<number, string[]>} state.wrong problems of regions
 * @param {number} state.most seconds that a piece can last
 * @param {boolean} state.isDragged whether the scale has to stay
 */
export function draw(piece, { selected, wrong, most, isDragged }) {
  canvas.style.width = `${zoom * 100}%`;
  // Also what starts after the end is to be seen.
  const until = Math.max(piece.length, (piece.regions.at(-1)?.start ?? 0) + MIN_S);
  if (!isDragged) shown = until / (1 - Math.max(ROOM_SHARE, ROOM_PX / track.clientWidth));
  while (track.children.length - 1 > piece.regions.length) track.children[piece.regions.length].remove();
  if (!end.isConnected) track.append(end);
  while (track.children.length - 1 < piece.regions.length) end.before(handle("region"));
  piece.regions.forEach((_, index) => drawRegion(piece, index, selected === index, wrong.get(index) ?? []));
  drawEnd(piece, most);
  if (!isDragged) drawRuler(piece);
}

/** Bring a block into view where the stage is scrolled. @param {number} index */
export function reveal(index) {
  track.children[index]?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/**
 * @param {Piece} piece
 * @param {number} index
 * @param {boolean} isSelected
 * @param {string[]} problems
 */
function drawRegion(piece, index, isSelected, problems) {
  const block = /** @type {HTMLElement} */ (track.children[index]);
  const region = piece.regions[index];
  const [until, title] = [endOf(piece, index), titleOf(region.descriptor)];
  const isLate = until <= region.start;
  const duration = isLate ? MIN_S : until - region.start;
  block.className = `region ${toneOf(region.descriptor)}${problems.length ? " is-wrong" : ""}`;
  place(block, region.start, duration);
  block.setAttribute("aria-current", String(isSelected));
  const style = descriptor(region.descriptor)?.style ?? "";
  const said = [`starts at ${figure(region.start)} s`, `lasts ${figure(duration)} s`, ...problems];
  value(block, `${index + 1}. ${title}${style && `, ${style}`}`, region.start, boundsOf(piece, index), said.join(", "));
  const edge = part("span", "edge", "");
  const tail = part("span", "tail", "");
  tail.style.width = `${(100 * (region.ring ?? usualRing(duration))) / duration}%`;
  const times = isLate ? clock(region.start) : `${clock(region.start)}–${clock(until)}`;
  const lines = [part("strong", "", title), part("span", "", style), part("span", "time", times)];
  block.replaceChildren(edge, ...lines, ...(region.ending === "ringout" ? [tail] : []));
  block.title = `${title} ${times}`;
}

/**
 * @param {Piece} piece
 * @param {number} most
 */
function drawEnd(piece, most) {
  end.style.left = `${(100 * piece.length) / shown}%`;
  value(end, "End", piece.length, lengthBounds(piece, most), `the piece lasts ${figure(piece.length)} s`);
  end.title = `End, ${clock(piece.length)}`;
}

/** @param {Piece} piece */
function drawRuler(piece) {
  const drawn = marks(piece.length, scale(), piece.tempo).map(({ time, kind, label }) => {
    const mark = part("div", kind === "bar" ? "tick bar" : kind === "strong" ? "tick strong" : "tick", "");
    mark.style.left = `${(100 * time) / shown}%`;
    if (label) mark.append(part("span", "", label));
    return mark;
  });
  ruler.classList.toggle("with-bars", piece.tempo !== null);
  ruler.replaceChildren(...drawn);
}

/** @param {"region" | "end"} kind */
function handle(kind) {
  const block = part("div", kind, "");
  block.setAttribute("role", "slider");
  block.setAttribute("aria-orientation", "horizontal");
  block.tabIndex = 0;
  return block;
}

/**
 * @param {HTMLElement} block
 * @param {string} label
 * @param {number} now
 * @param {{ low: number, high: number }} bounds
 * @param {string} words
 */
function value(block, label, now, { low, high }, words) {
  const told = { label, valuenow: figure(now), valuemin: figure(low), valuemax: figure(high), valuetext: words };
  for (const [name, text] of Object.entries(told)) block.setAttribute(`aria-${name}`, text);
}

/**
 * @param {HTMLElement} block
 * @param {number} start
 * @param {number} duration
 */
function place(block, start, duration) {
  block.style.left = `${(100 * start) / shown}%`;
  block.style.width = `${(100 * duration) / shown}%`;
}

/**
 * @param {string} tag
 * @param {string} name
 * @param {string} text
 */
function part(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

/** Call back when there is more or less room. @param {() => void} draw */
export function whenResized(draw) {
  new ResizeObserver(draw).observe(stage);
}
