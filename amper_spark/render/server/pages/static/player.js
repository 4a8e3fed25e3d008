// @ts-check
// The player of a finished piece: its waveform is where to listen from.

import { clock } from "./grid.js";

const STEP_S = 5;

/** @param {HTMLElement} player */
export function startPlayer(player) {
  const audio = /** @type {HTMLAudioElement} */ (player.querySelector("#audio"));
  const button = /** @type {HTMLButtonElement} */ (player.querySelector("#play"));
  const time = /** @type {HTMLElement} */ (player.querySelector("#time"));
  const unheard = /** @type {HTMLElement} */ (player.querySelector("#unheard"));
  const wave = /** @type {HTMLElement | null} */ (player.querySelector("#wave"));
  const heard = /** @type {SVGElement | null} */ (player.querySelector("#heard-part"));
  const width = Number(heard?.ownerSVGElement?.viewBox.baseVal.width ?? 0);

  const duration = () => (Number.isFinite(audio.duration) ? audio.duration : Number(player.dataset.duration));

  function show() {
    const share = duration() ? audio.currentTime / duration() : 0;
    heard?.setAttribute("width", String(width * share));
    time.textContent = `${clock(Math.floor(audio.currentTime))} / ${clock(duration())}`;
    button.classList.toggle("playing", !audio.paused);
    button.setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    wave?.setAttribute("aria-valuenow", String(Math.round(audio.currentTime)));
    wave?.setAttribute("aria-valuemax", String(Math.round(duration())));
    wave?.setAttribute("aria-valuetext", `${clock(Math.floor(audio.currentTime))} of ${clock(duration())}`);
  }

  /** @param {number} seconds */
  function seek(seconds) {
    audio.currentTime = Math.min(duration(), Math.max(0, seconds));
    show();
  }

  function toggle() {
    if (!audio.paused) audio.pause();
    else audio.play().catch(tellTrouble);
  }

  function tellTrouble() {
    unheard.textContent = "This cannot be played just now. Load the page again, or download the file.";
    unheard.hidden = false;
  }

  /** @param {PointerEvent} event */
  function seekTo(event) {
    const box = /** @type {HTMLElement} */ (wave).getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * duration());
  }

  for (const name of ["timeupdate", "play", "pause", "durationchange", "ended"]) audio.addEventListener(name, show);
  audio.addEventListener("error", tellTrouble);
  button.addEventListener("click", toggle);
  wave?.addEventListener("pointerdown", (event) => {
    wave.setPointerCapture(event.pointerId);
    seekTo(event);
  });
  wave?.addEventListener("pointermove", (event) => {
    if (wave.hasPointerCapture(event.pointerId)) seekTo(event);
  });
  wave?.addEventListener("keydown", (event) => {
    const to = seekedBy(event.key, audio.currentTime, duration());
    if (event.key === " " || event.key === "Enter") toggle();
    else if (to === null) return;
    else seek(to);
    event.preventDefault();
  });

  audio.controls = false;
  button.hidden = time.hidden = false;
  if (wave) {
    wave.tabIndex = 0;
    wave.setAttribute("role", "slider");
    wave.setAttribute("aria-label", "Position");
    wave.setAttribute("aria-valuemin", "0");
    wave.querySelector("svg")?.setAttribute("aria-hidden", "true");
  }
  show();
}

/**
 * Say where a key leads.
 * @param {string} key
 * @param {number} now in seconds
 * @param {number} duration
 */
function seekedBy(key, now, duration) {
  const far = Math.max(STEP_S, duration / 10);
  /** @type {Record<string, number>} */
  const places = {
    ArrowLeft: now - STEP_S, ArrowDown: now - STEP_S, ArrowRight: now + STEP_S, ArrowUp: now + STEP_S,
    PageDown: now - far, PageUp: now + far, Home: 0, End: duration,
  };
  return places[key] ?? null;
}
