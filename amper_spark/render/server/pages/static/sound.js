// @ts-check
// Previews: one sounds at a time.

const audio = new Audio();
/** @type {HTMLButtonElement | null} */
let playing = null;

audio.addEventListener("ended", stop);

/**
 * Play a preview, or stop it where it is the one that plays.
 * @param {HTMLButtonElement} button its value is the descriptor
 * @param {(words: string) => void} tell called with what is in the way, or with nothing
 */
export async function toggle(button, tell) {
  const wasPlaying = playing === button;
  stop();
  tell("");
  if (wasPlaying) return;
  show(button);
  try {
    const url = await find(button.value);
    if (playing !== button) return; // another one has been asked for meanwhile
    audio.src = url;
    await audio.play();
    button.classList.remove("unmade");
  } catch (error) {
    if (playing !== button) return;
    stop();
    tell(error instanceof NotHeardError ? error.message : "The preview cannot be played just now: try again.");
  }
}

export function stop() {
  audio.pause();
  if (playing) {
    playing.classList.remove("playing");
    playing.setAttribute("aria-pressed", "false");
  }
  playing = null;
}

class NotHeardError extends Error {}

/** @param {HTMLButtonElement} button */
function show(button) {
  playing = button;
  button.classList.add("playing");
  button.setAttribute("aria-pressed", "true");
}

/**
 * Ask where a preview is: its address works for a while only.
 * @param {string} descriptor
 * @returns {Promise<string>}
 */
async function find(descriptor) {
  let response;
  try {
    response = await fetch(`/previews?descriptor=${encodeURIComponent(descriptor)}`, {
      headers: { Accept: "application/json" },
    });
  } catch {
    throw new NotHeardError("The server does not answer: try again in a moment.");
  }
  const told = await response.json();
  if (response.ok) return told.url;
  if (told.sign_in) throw new NotHeardError("Your sign-in has expired: load this page again.");
  throw new NotHeardError(told.problems[0]?.detail ?? told.title);
}
