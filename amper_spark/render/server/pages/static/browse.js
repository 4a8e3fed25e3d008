// @ts-check
// The pages of descriptors: previews sound in the page.

import { toggle } from "./sound.js";

const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const previews = document.getElementById("previews");

previews?.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = /** @type {SubmitEvent} */ (event).submitter;
  if (button instanceof HTMLButtonElement) {
    toggle(button, (words) => {
      said.textContent = words;
      said.hidden = !words;
    });
  }
});
