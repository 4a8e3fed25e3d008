// @ts-check
// Descriptors, as the page lists them.

/**
 * @typedef {object} Descriptor
 * @property {string} name
 * @property {string} title within its style
 * @property {string} style
 * @property {string} genre
 * @property {string} tone
 * @property {string} words that it is found by, in lower case
 * @property {number} low in beats per minute
 * @property {number} high
 * @property {boolean} made whether there is a preview
 */

/** @type {Map<string, Descriptor>} */
const found = new Map();

const NUMBER = /^[0-9]{1,9}(\.[0-9]{0,9})?$/;

/** @type {Map<string, string>} who plays in a style */
const players = new Map();
for (const item of document.querySelectorAll("#styles li")) {
  players.set(/** @type {HTMLElement} */ (item).dataset.style ?? "", item.textContent ?? "");
}

for (const option of document.querySelectorAll("#descriptors option")) {
  const { value, dataset } = /** @type {HTMLOptionElement} */ (option);
  const { title = value, style = "", genre = "", tone = "", mood = "", low, high, made } = dataset;
  const [from, to] = [Number(low), Number(high)];
  const words = `${value} ${mood} ${players.get(style) ?? ""}`.replaceAll("_", " ").toLowerCase();
  found.set(value, { name: value, title, style, genre, tone, words, low: from, high: to, made: made !== undefined });
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
 * Find descriptors by words, as the page of descriptors does: of names, genres, moods and instruments; numbers are tempos.
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
  if (!NUMBER.test(word)) return one.words.includes(word);
  return one.low <= Number(word) && Number(word) <= one.high;
}
