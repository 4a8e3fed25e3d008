// @ts-check
// Times and numbers as people type them. What cannot be read is told beside its field, and nothing is sent meanwhile.

export const TIME_WORDS = "This is no time: say seconds, such as 90, or minutes and seconds, such as 1:30.";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const CLOCK = /^(\d{1,4}):([0-5]?\d(?:\.\d*)?)$/;

/** @type {Map<HTMLInputElement, string>} */
const unread = new Map();

/**
 * Read a number; NaN where it is none.
 * @param {string} text
 */
export function numberOf(text) {
  const told = text.trim().replace(",", ".");
  const value = NUMBER.test(told) ? Number(told) : NaN;
  return Number.isFinite(value) ? value : NaN;
}

/**
 * Read seconds, or minutes and seconds such as 1:30; NaN where it is neither.
 * @param {string} text
 */
export function secondsOf(text) {
  const found = CLOCK.exec(text.trim().replace(",", "."));
  return found ? 60 * Number(found[1]) + Number(found[2]) : numberOf(text);
}

/**
 * Take what is typed into a field, once it is.
 * @param {HTMLInputElement} field
 * @param {(text: string) => number} readAs
 * @param {string} words said beside the field where it cannot be read
 * @param {(value: number | null) => string | void} take gets null where the field is empty; returns what is to be said of it
 */
export function watch(field, readAs, words, take) {
  const note = document.createElement("p");
  note.id = `${field.id}-note`;
  note.className = "field-note wide";
  note.setAttribute("role", "status");
  field.setAttribute("aria-describedby", note.id);
  field.closest("label")?.after(note);
  const isRead = () => !Number.isNaN(field.value.trim() ? readAs(field.value) : 0);
  // Already while it is typed, so that nothing moves away from the pointer that leaves the field.
  field.addEventListener("input", () => isRead() && forget(field));
  field.addEventListener("change", () => {
    const text = field.value.trim();
    if (!isRead()) {
      unread.set(field, words);
      field.setAttribute("aria-invalid", "true");
      note.textContent = words;
      return;
    }
    forget(field);
    note.textContent = take(text ? readAs(text) : null) || "";
  });
}

/**
 * Whether a field says what cannot be read.
 * @param {HTMLInputElement} field
 */
export function isUnread(field) {
  return unread.has(field);
}

/**
 * Find a field that says what cannot be read.
 * @returns {{ field: HTMLInputElement, words: string } | null}
 */
export function firstUnread() {
  const [first] = unread;
  return first ? { field: first[0], words: first[1] } : null;
}

/**
 * Let a field show again what it stands for.
 * @param {HTMLInputElement} field
 */
export function forget(field) {
  unread.delete(field);
  field.removeAttribute("aria-invalid");
  const note = document.getElementById(`${field.id}-note`);
  if (note?.textContent) note.textContent = "";
}

/** Let all of them. */
export function forgetAll() {
  for (const field of [...unread.keys()]) forget(field);
}
