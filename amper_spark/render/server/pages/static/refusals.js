// @ts-check
// Says why there is no music yet, and at which fields and regions.

import { isUnread } from "./fields.js";
import { placeOf } from "./sending.js";

/** @typedef {import("./timeline.js").Piece} Piece */

const FIELDS = { tempo: "Tempo: ", length: "Length: ", seed: "Seed: ", name: "" };

const said = /** @type {HTMLElement} */ (document.getElementById("said"));

/**
 * Say it, at the top and at the fields.
 * @param {import("./sending.js").Refusal} refusal
 * @param {Piece | null} piece
 * @param {string} sent its JSON
 * @returns {Map<number, string[]>} what is wrong with regions, by their numbers
 */
export function showRefusal({ words, problems, mustSignIn }, piece, sent) {
  const document = piece ? JSON.parse(sent) : null;
  /** @type {Map<number, string[]>} */
  const wrong = new Map();
  const items = problems.map(({ pointer, detail: told }) => {
    // Where there is one span, people are shown a piece.
    const detail = piece ? told.replace(/\b(metered )?span\b/g, "piece") : told;
    const place = placeOf(pointer, document, piece?.regions ?? []);
    if (typeof place === "number") wrong.set(place, [...(wrong.get(place) ?? []), `${inRegion(pointer)}${detail}`]);
    if (typeof place === "string") field(place)?.setAttribute("aria-invalid", "true");
    return element("li", `${where(pointer, place)}${detail}`);
  });
  said.replaceChildren(element("p", words));
  if (items.length) said.append(list(items));
  if (mustSignIn) said.append(link("/sign-in?next=/compose", "Sign in again"));
  said.hidden = false;
  said.scrollIntoView({ block: "nearest" });
  return wrong;
}

/** Take back what was said. @param {HTMLFormElement} form */
export function clearRefusal(form) {
  said.hidden = true;
  for (const one of form.querySelectorAll("[aria-invalid]")) {
    if (!isUnread(/** @type {HTMLInputElement} */ (one))) one.removeAttribute("aria-invalid");
  }
}

/** @param {string} id */
function field(id) {
  return document.getElementById(id);
}

/** @param {string} pointer @param {string | number | null} place */
function where(pointer, place) {
  if (typeof place === "string") return FIELDS[/** @type {keyof typeof FIELDS} */ (place)] ?? "";
  if (typeof place === "number") return `Region ${place + 1}, ${inRegion(pointer)}`.replace(/, $/, ": ");
  return pointer ? `${pointer}: ` : "";
}

/** Say what of a region a problem is about. @param {string} pointer */
function inRegion(pointer) {
  const words = pointer.split("/").slice(5).filter((word) => word !== "add_region");
  return words.length ? `${words.join(" ").replaceAll("_", " ")}: ` : "";
}

/** @param {string} tag @param {string} words */
function element(tag, words) {
  const made = document.createElement(tag);
  made.textContent = words;
  return made;
}

/** @param {HTMLElement[]} items */
function list(items) {
  const made = document.createElement("ul");
  made.append(...items);
  return made;
}

/** @param {string} url @param {string} words */
function link(url, words) {
  const made = document.createElement("a");
  made.href = url;
  made.className = "button";
  made.textContent = words;
  return made;
}
