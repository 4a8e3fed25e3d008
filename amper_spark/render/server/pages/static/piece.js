// @ts-check
// The page of a piece: shows how far it is until it is there, and then plays it.

import { startPlayer } from "./player.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 10_000;

const piece = /** @type {HTMLElement} */ (document.getElementById("piece"));
let wait = FIRST_WAIT_MS;

if (piece.dataset.ended === undefined) soon();
else play();

function play() {
  const player = document.getElementById("player");
  if (player) startPlayer(player);
}

function soon() {
  setTimeout(look, wait);
}

async function look() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", look, { once: true });
    return;
  }
  try {
    const response = await fetch(`/music/${piece.dataset.job}/progress`, { headers: { Accept: "application/json" } });
    const told = await response.json();
    if (response.ok) await show(told);
    else refuse(told);
  } catch {
    tell("The server does not answer. Your music is not lost: this page goes on asking.");
    wait = Math.min(LONGEST_WAIT_MS, wait * 2);
    soon();
  }
}

/** @param {{ words: string, percent: number | null, ended: boolean }} told */
async function show(told) {
  tell("");
  if (told.ended) {
    await finish();
    return;
  }
  const words = /** @type {HTMLElement} */ (document.getElementById("words"));
  const progress = /** @type {HTMLProgressElement} */ (document.getElementById("progress"));
  if (words.textContent !== told.words) words.textContent = told.words;
  if (told.percent === null) progress.removeAttribute("value");
  else progress.value = told.percent;
  wait = Math.min(LONGEST_WAIT_MS, wait * 1.1);
  soon();
}

/** @param {{ title: string, problems: { detail: string }[], retry_after_s?: number, sign_in?: boolean }} told */
function refuse(told) {
  if (told.sign_in) {
    tell("Your sign-in has expired. Your music is made all the same: load this page again to sign in.");
  } else if (told.retry_after_s) {
    wait = Math.max(wait, told.retry_after_s * 1000);
    soon();
  } else {
    tell(told.problems[0]?.detail ?? told.title);
  }
}

/** Take over the page as it is now that the piece is there. */
async function finish() {
  const response = await fetch(location.href);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const made = page.getElementById("piece");
  if (!response.ok || !made) {
    location.reload();
    return;
  }
  piece.replaceChildren(...made.childNodes);
  document.title = page.title;
  const said = document.createElement("p");
  said.className = "unseen";
  said.setAttribute("role", "status");
  piece.prepend(said);
  said.textContent = page.title;
  play();
}

/** @param {string} words */
function tell(words) {
  const trouble = /** @type {HTMLElement} */ (document.getElementById("trouble"));
  trouble.textContent = words;
  trouble.hidden = !words;
}
