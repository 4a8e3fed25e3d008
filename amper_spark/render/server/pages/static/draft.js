// @ts-check
// What is being composed, kept in this browser, for each token by itself, until it is something else.

const KEY = `amper-draft ${document.body.dataset.visitor ?? ""}`;

/** @returns {string | null} the timeline's JSON */
export function keptDraft() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** @param {string} text */
export function keepDraft(text) {
  try {
    localStorage.setItem(KEY, text);
  } catch {
    // It is still on the page.
  }
}
