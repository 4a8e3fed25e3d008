// @ts-check
// Has the music made, and says what is in the way.

const TIMELINE = "/data/attributes/timeline";

/**
 * @typedef {object} Problem
 * @property {string} pointer into the timeline, or the name of a field
 * @property {string} detail
 */

/**
 * Why there is no music.
 * @typedef {object} Refusal
 * @property {string} words
 * @property {Problem[]} problems
 * @property {boolean} mustSignIn
 */

/**
 * Ask for the music of a timeline; the browser goes on to its page.
 * @param {string} text the timeline's JSON
 * @param {FormData} form
 * @param {string} nonce the same for the same request, so that it is done once
 * @returns {Promise<Refusal | null>}
 */
export async function send(text, form, nonce) {
  const sent = new URLSearchParams({
    from: "json", timeline: text, preset: String(form.get("preset")), name: String(form.get("name")), nonce,
  });
  let response;
  let answer;
  try {
    response = await fetch("/compose", { method: "POST", body: sent, headers: { Accept: "application/json" } });
    answer = await response.text();
  } catch {
    return refusal("The server does not answer. What you have composed is kept: try again in a moment.");
  }
  const told = parsed(answer);
  if (!told?.location && !told?.problems) {
    return refusal(`What stands before the server has refused it: ${response.status}. What you have composed is kept.`);
  }
  if (response.ok) {
    location.assign(told.location);
    return null;
  }
  if (told.sign_in) {
    return { ...refusal("Your sign-in has expired. What you have composed is kept in this browser."), mustSignIn: true };
  }
  const problems = told.problems.map(problem);
  if (response.status === 422) return { ...refusal("This cannot be made yet:"), problems };
  const when = told.retry_after_s ? ` Try again in ${told.retry_after_s} s.` : "";
  const why = problems.map((/** @type {Problem} */ one) => one.detail).join(" ");
  return refusal(`${told.title}: ${why}${when} What you have composed is kept.`);
}

/** @returns {string} what is sent with a request to tell it from others */
export function newNonce() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join("");
}

/** @param {string} text @returns {any} null: it is no JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {string} words @returns {Refusal} */
export function refusal(words) {
  return { words, problems: [], mustSignIn: false };
}

/** @param {Problem} told @returns {Problem} */
function problem({ pointer, detail }) {
  if (pointer.startsWith(TIMELINE)) return { pointer: pointer.slice(TIMELINE.length), detail };
  const field = pointer === "/data/attributes/attachment_filename" ? "name" : "";
  return { pointer: field, detail: field ? `The file name ${detail}` : detail };
}

/**
 * Find what a problem is about: the number of a region, or the id of a field; null if it is neither.
 * @param {string} pointer
 * @param {any} document the timeline that was sent
 * @param {readonly { start: number }[]} regions
 * @returns {number | string | null}
 */
export function placeOf(pointer, document, regions) {
  const fields = { "/spans/0/tempo": "tempo", "/spans/1/time": "length", "/random_seed": "seed", name: "name" };
  if (pointer in fields) return fields[/** @type {keyof typeof fields} */ (pointer)];
  const found = /^\/spans\/0\/(actions|regions)\/(\d+)/.exec(pointer);
  const span = document?.spans?.[0];
  const told = found && span?.[found[1]]?.[Number(found[2])];
  if (!told) return null;
  const tempo = span.tempo ?? 60;
  const start = found[1] === "actions" ? told.time : (told.beat * 60) / tempo;
  const index = regions.findIndex((region) => Math.abs(region.start - start) < 1e-4);
  return index < 0 ? null : index;
}
