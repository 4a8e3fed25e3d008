// @ts-check
// Descriptors, as the page lists them.

/**
 * @typedef {object} Descriptor
 * @property {string} name
 * @property {string} title within its style
 * @property {string} style
 * @property {string} genre
 * @property {string} tone
 * @property {string} mood
 * @property {number} low in beats per minute
 * @property {number} high
 * @property {boolean} made whether there is a preview
 */

/** @type {Map<string, Descriptor>} */
const found = new Map();

for (const option of document.querySelectorAll("#descriptors option")) {
  const { value, dataset } = /** @type {HTMLOptionElement} */ (option);
  const { title = value, style = "", genre = "", tone = "", mood = "", low, high, made } = dataset;
  const [from, to] = [Number(low), Number(high)];
  found.set(value, { name: value, title, style, genre, tone, mood, low: from, high: to, made: made !== undefined });
}

/** All descriptors, by genre and subgenre. */
export const descriptors = [...found.values()];

/** @param {string} name */
export function descriptor(name) {
  return found.get(name);
}

/** @param {string} name empty: silence */
export function titleOf(name) {
  return name ? (found.get(name)?.title ?? name) : "Silence";
}

/** @param {string} name */
export function toneOf(name) {
  const known = found.get(name);
  return known ? `tone-${known.tone}` : "silent";
}

/**
 * Find descriptors by words, of which numbers are tempos.
 * @param {string} words
 * @param {string} genre empty: any
 */
export function search(words, genre) {
  const wanted = words.toLowerCase().replaceAll("_", " ").split(/\s+/).filter(Boolean);
  return descriptors.filter(
    (one) => (!genre || one.genre === genre) && wanted.every((word) => fits(one, word)),
  );
}

/**
 * @param {Descriptor} one
 * @param {string} word
 */
function fits(one, word) {
  const tempo = Number(word);
  if (Number.isFinite(tempo)) return one.low <= tempo && tempo <= one.high;
  return `${one.name} ${one.mood}`.replaceAll("_", " ").includes(word);
}
