// @ts-check
// One row of a long list is reached by Tab; the arrow keys go from row to row.

/** @type {Record<string, (place: number, last: number) => number>} */
const LEADS = {
  ArrowUp: (place) => Math.max(0, place - 1),
  ArrowDown: (place, last) => Math.min(last, place + 1),
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * Let the buttons of a list's rows be reached so.
 * @param {HTMLElement} list
 * @returns {() => void} to be called where other rows are shown
 */
export function startRoving(list) {
  /** @type {HTMLElement | undefined} */
  let current;

  const shown = () => /** @type {HTMLElement[]} */ ([...list.children]).filter((row) => !row.hidden);

  /** @param {HTMLElement | undefined} row */
  function enter(row) {
    current = row;
    for (const one of list.children) for (const button of buttons(one)) button.tabIndex = one === row ? 0 : -1;
  }

  list.addEventListener("focusin", (event) => {
    const row = rowOf(event.target);
    if (row && row !== current) enter(row);
  });
  list.addEventListener("keydown", (event) => {
    const row = rowOf(event.target);
    const lead = LEADS[event.key];
    if (!row || !lead || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const rows = shown();
    const column = buttons(row).indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const to = rows[lead(rows.indexOf(row), rows.length - 1)];
    buttons(to)[Math.max(0, column)].focus();
  });

  return () => {
    const rows = shown();
    if (!current || !rows.includes(current)) enter(rows[0]);
  };
}

/** @param {Element} row */
function buttons(row) {
  return [...row.querySelectorAll("button")];
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function rowOf(target) {
  return target instanceof Element ? target.closest("li") : null;
}
