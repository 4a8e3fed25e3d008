// @ts-check
// A timeline as the editor knows it, read from the API's JSON and written as such: one metered span, in seconds.

/**
 * A region lasts until the next one starts, or the piece ends. What the editor has no control for is kept:
 * in `more`, keys of its `add_region`; in `beside`, those of its action.
 * @typedef {object} Region
 * @property {number} start in seconds
 * @property {string} descriptor empty: silence
 * @property {"" | "cut" | "ringout"} ending empty: as composed
 * @property {number | null} ring seconds before its end at which the last note begins; null: as is usual
 * @property {string} tonic empty: as composed
 * @property {string} quality
 * @property {boolean} ownTempo whether its tempo is drawn to fit the descriptor
 * @property {Readonly<Record<string, any>>} more
 * @property {Readonly<Record<string, any>>} beside
 */

/**
 * @typedef {object} Piece
 * @property {number} length in seconds
 * @property {number | null} tempo in beats per minute; null: to fit
 * @property {number | null} seed null: drawn
 * @property {readonly Region[]} regions in order of time
 * @property {readonly Record<string, any>[]} others actions that start no region
 * @property {Readonly<Record<string, any>>} span what else the metered span has
 * @property {Readonly<Record<string, any>>} rest what else the document has
 */

/** A timeline that the editor cannot show; the message says why. */
export class NotShownError extends Error {}

const USUAL_RING_S = 2;
const FOREIGN = ["copy_region", "create"];

/** @type {Region} */
export const SILENCE = Object.freeze({
  start: 0, descriptor: "", ending: "", ring: null, tonic: "", quality: "", ownTempo: false, more: {}, beside: {},
});

/**
 * Say where a region ends.
 * @param {Piece} piece
 * @param {number} index
 */
export function endOf(piece, index) {
  return index + 1 < piece.regions.length ? piece.regions[index + 1].start : piece.length;
}

/**
 * Say how long a last note of usual length is.
 * @param {number} duration of the region
 */
export function usualRing(duration) {
  return duration > USUAL_RING_S ? USUAL_RING_S : duration / 2;
}

/**
 * Read a timeline.
 * @param {any} document as JSON.parse gives it
 * @returns {Piece}
 */
export function read(document) {
  const keys = isObject(document) ? Object.keys(document) : [];
  const whole = keys.length === 1 && keys[0] === "timeline" ? document.timeline : document;
  if (!isObject(whole)) throw new NotShownError("it is no object");
  const { spans, random_seed: seed, ...rest } = whole;
  if (!Array.isArray(spans) || spans.length !== 2 || !spans.every(isObject)) {
    throw new NotShownError("it has other spans than a metered one and the end");
  }
  const { type, time, tempo, actions, regions, ...span } = spans[0];
  const { type: endType, time: length, ...end } = spans[1];
  if (type !== "metered" || endType !== "unmetered" || time !== 0 || Object.keys(end).length) {
    throw new NotShownError("its spans are not a metered one from 0 s, and the end");
  }
  if (!isNumber(length) || length <= 0) throw new NotShownError("its end is at no time");
  if (tempo != null && !(isNumber(tempo) && tempo > 0)) throw new NotShownError("its tempo is no number");
  if (seed != null && !Number.isSafeInteger(seed)) throw new NotShownError("its seed is no integer");
  const told = list(actions, "actions");
  if (told.some((action) => FOREIGN.some((key) => key in action))) {
    throw new NotShownError("it has regions that are copied or made from words");
  }
  const found = [
    ...told.filter((action) => "add_region" in action).map(ofAction),
    ...inSeconds(list(regions, "regions"), tempo, span, told),
  ].sort((one, other) => one.region.start - other.region.start);
  const ends = [...found.slice(1).map(({ region }) => region.start), length];
  return {
    length,
    tempo: tempo ?? null,
    seed: seed ?? null,
    regions: found.map(({ region, rings }, index) => withRing(region, rings, ends[index])),
    others: told.filter((action) => !("add_region" in action)),
    span,
    rest,
  };
}

/**
 * Write a timeline as the API takes it. Its first actions are the regions, in order.
 * @param {Piece} piece
 */
export function write(piece) {
  const actions = piece.regions.map((region, index) => {
    if (!region.descriptor) return { time: region.start, add_region: "silence", ...region.beside };
    const key = { ...(region.tonic && { tonic: region.tonic }), ...(region.quality && { quality: region.quality }) };
    const added = { descriptor: region.descriptor, ...(Object.keys(key).length && { key }), ...(region.ownTempo && { random_tempo: true }) };
    return {
      time: region.start,
      add_region: { ...added, ...written(region, endOf(piece, index)), ...region.more },
      ...region.beside,
    };
  });
  return {
    ...(piece.seed !== null && { random_seed: piece.seed }),
    spans: [
      {
        type: "metered", time: 0, ...(piece.tempo !== null && { tempo: piece.tempo }),
        actions: [...actions, ...piece.others], ...piece.span,
      },
      { type: "unmetered", time: piece.length },
    ],
    ...piece.rest,
  };
}

/**
 * Name the keys that a timeline has and the editor keeps, but has no control for.
 * @param {Piece} piece
 */
export function kept(piece) {
  const inRegions = piece.regions.flatMap((region) => [...Object.keys(region.more), ...Object.keys(region.beside)]);
  const names = [...Object.keys(piece.rest), ...Object.keys(piece.span), ...piece.others.flatMap(Object.keys), ...inRegions];
  return [...new Set(names)].filter((name) => name !== "time" && name !== "notifications");
}

/**
 * Round times to the microsecond: no remains of binary fractions.
 * @param {number} seconds
 */
export function rounded(seconds) {
  return Math.round(seconds * 1e6) / 1e6;
}

/**
 * @param {Region} region
 * @param {number} end
 */
function written(region, end) {
  if (region.ending === "cut") return { cut_at: end };
  if (region.ending !== "ringout") return {};
  const duration = end - region.start;
  const ring = region.ring !== null && region.ring < duration ? region.ring : usualRing(duration);
  return { ringout_at: rounded(end - ring) };
}

/** @param {Record<string, any>} action */
function ofAction({ time, add_region: added, ...beside }) {
  if (!isNumber(time)) throw new NotShownError("an action that starts a region has no time");
  if (added === "silence") return { region: { ...SILENCE, start: time, beside }, rings: null };
  if (!isObject(added) || typeof added.descriptor !== "string") {
    throw new NotShownError(`the region at ${time} s has no descriptor`);
  }
  const { descriptor, key, cut_at: cut, ringout_at: rings, random_tempo: ownTempo, ...more } = added;
  const ending = isNumber(rings) ? "ringout" : cut != null ? "cut" : "";
  return { region: { ...SILENCE, start: time, descriptor, ending, ...keyOf(key), ownTempo: ownTempo === true, more, beside }, rings };
}

/**
 * Regions that are told in beats can be shown where the tempo does not change.
 * @param {Record<string, any>[]} regions
 * @param {number | undefined} tempo
 * @param {Record<string, any>} span
 * @param {Record<string, any>[]} actions
 */
function inSeconds(regions, tempo, span, actions) {
  if (!regions.length) return [];
  const changes = span.tempo_changes?.length || actions.some((action) => Object.keys(action).some((key) => key.includes("tempo")));
  return regions.map(({ region: kind, descriptor, beat, end_type: end, key, edits, ...more }) => {
    if (edits?.length) throw new NotShownError("it has regions that take something from others");
    if (!isNumber(beat) || (beat > 0 && (changes || !tempo))) {
      throw new NotShownError("its regions are told in beats, of a tempo that changes or is left open");
    }
    const beatLength = 60 / (tempo ?? 60);
    const start = rounded(beat * beatLength);
    if (kind === "silence") return { region: { ...SILENCE, start }, rings: null };
    if (typeof descriptor !== "string") throw new NotShownError("a region has no descriptor");
    const rings = end?.type === "ringout" && tempo && !changes ? start + end.beat * beatLength : null;
    const ending = end?.type === "ringout" || end?.type === "cut" ? end.type : "";
    return { region: { ...SILENCE, start, descriptor, ending, ...keyOf(key), more }, rings };
  });
}

/**
 * @param {any} region
 * @param {any} rings at which second of the piece its last note begins
 * @param {number} end
 * @returns {Region}
 */
function withRing(region, rings, end) {
  const ring = isNumber(rings) ? rounded(end - rings) : null;
  return { ...region, ring: ring !== null && ring > 0 && ring < end - region.start ? ring : null };
}

/** @param {any} key */
function keyOf(key) {
  return { tonic: String(key?.tonic ?? ""), quality: String(key?.quality ?? "") };
}

/**
 * @param {any} value
 * @param {string} name
 * @returns {Record<string, any>[]}
 */
function list(value, name) {
  if (value == null) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw new NotShownError(`its ${name} are no objects`);
  return value;
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {any} value */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
