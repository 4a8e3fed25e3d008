"use strict";
// The blind test. What can be computed without a page comes first, so that it can be tried without one.

const LEVELS = ["genre", "subgenre", "mood"];
const QUESTIONS = {
  genre: () => "Which genre is it?",
  subgenre: (known) => `It is ${known.genre}. Which kind?`,
  mood: (known) => `It is ${[known.genre, known.subgenre].filter(Boolean).join(", ")}. Which mood?`,
};
const PAD_BYTES = 32;

/** Read what listening/blind.py has written: XOR with the pad that stands before it, in base 64. */
function decoded(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const content = bytes.slice(PAD_BYTES).map((byte, index) => byte ^ bytes[index % PAD_BYTES]);
  return JSON.parse(new TextDecoder().decode(content));
}

/** Draw some pieces, in an order that nobody can foresee. */
function drawn(pieces, count, random) {
  const left = [...pieces];
  const found = [];
  while (found.length < count && left.length) {
    found.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return found;
}

/** Count answers and hits of a level, and the hits that guessing would give. */
function score(answers, level) {
  const own = answers.filter((one) => one.level === level);
  return {
    n: own.length,
    hits: own.filter((one) => one.answer === one.truth).length,
    chance: own.reduce((sum, one) => sum + 1 / one.choices.length, 0),
  };
}

/** Write a session as a table for spreadsheets, which take what begins with certain letters for a formula. */
function asCsv(session) {
  const harmless = (value) => String(value).replace(/^[=+\-@\t\r\n]/, "'$&");
  const quoted = (value) => `"${harmless(value).replaceAll('"', '""')}"`;
  const rows = session.answers.map((one) => [
    session.listener, session.session, session.folder, one.piece, one.descriptor, one.level,
    one.choices.length, one.answer, one.truth, Number(one.answer === one.truth),
  ]);
  const head = [
    "listener", "session", "folder", "piece", "descriptor", "level", "n_choices", "answer", "truth", "hit",
  ];
  return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

/** Write a word of the catalogue for people. */
function spoken(word) {
  return word.replaceAll("_", " ");
}

function run() {
  const test = decoded(JSON.parse(document.getElementById("test").textContent));
  const begin = document.getElementById("begin");
  const question = document.getElementById("question");
  const end = document.getElementById("end");
  const scores = document.querySelector(".scores");
  const heading = question.querySelector("h2");
  const audio = question.querySelector("audio");
  const status = question.querySelector("[role=status]");
  const button = question.querySelector("button.main");
  const session = {
    format: "amper-spark listening test",
    version: 1,
    folder: test.folder,
    session: [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    listener: "",
    started_at: "",
    finished_at: "",
    answers: [],
  };
  const pieces = drawn(test.pieces, test.questions, () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32);
  let number = 0;
  let step = 0;

  begin.hidden = false;
  begin.addEventListener("submit", (event) => {
    event.preventDefault();
    session.listener = begin.elements.listener.value.trim() || "nobody";
    session.started_at = new Date().toISOString();
    begin.hidden = true;
    question.hidden = scores.hidden = false;
    showScores();
    showPiece();
  });

  question.addEventListener("submit", (event) => {
    event.preventDefault();
    const piece = pieces[number];
    if (step === piece.levels.length) {
      number += 1;
      step = 0;
      if (number === pieces.length) finish();
      else showPiece();
      return;
    }
    const { level, choices, truth } = piece.levels[step];
    const answer = new FormData(question).get("choice");
    session.answers.push({ piece: piece.key, descriptor: piece.descriptor, level, choices, answer, truth });
    const isHit = answer === truth;
    status.className = isHit ? "right" : "wrong";
    status.textContent = isHit ? `✓ Yes: ${spoken(truth)}.` : `✗ No: it is ${spoken(truth)}, not ${spoken(answer)}.`;
    step += 1;
    showScores();
    showStep();
  });
  question.elements.stop.addEventListener("click", finish);

  function showPiece() {
    heading.textContent = `Piece ${number + 1} of ${pieces.length}`;
    audio.src = pieces[number].file;
    status.textContent = "";
    showStep();
    heading.focus();
    audio.play().catch(() => {}); // where a browser forbids it, the listener presses the button
  }

  function showStep() {
    const { levels } = pieces[number];
    const fields = question.querySelector("fieldset");
    const isOver = step === levels.length;
    fields.hidden = isOver;
    button.textContent = !isOver ? "Answer" : number + 1 < pieces.length ? "Next piece" : "See the results";
    if (isOver) {
      button.focus();
      return;
    }
    const known = Object.fromEntries(levels.slice(0, step).map(({ level, truth }) => [level, spoken(truth)]));
    fields.querySelector("legend").textContent = QUESTIONS[levels[step].level](known);
    fields.querySelector(".choices").replaceChildren(...levels[step].choices.map((choice) => {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), {
        type: "radio", name: "choice", value: choice, required: true,
      });
      label.append(input, spoken(choice));
      return label;
    }));
    if (step) fields.querySelector("input").focus();
  }

  function showScores() {
    scores.replaceChildren(...LEVELS.map((level) => {
      const { n, hits, chance } = score(session.answers, level);
      const item = document.createElement("li");
      item.textContent = `${level} ${hits} of ${n}${n ? ` (by chance ${chance.toFixed(1)})` : ""}`;
      return item;
    }));
  }

  function finish() {
    session.finished_at = new Date().toISOString();
    audio.pause();
    question.hidden = true;
    end.hidden = false;
    end.querySelector("p").textContent = `${session.listener}, thank you.`;
    for (const link of end.querySelectorAll("[data-format]")) {
      const isCsv = link.dataset.format === "csv";
      const text = isCsv ? asCsv(session) : JSON.stringify(session, null, 1);
      link.href = URL.createObjectURL(new Blob([text], { type: isCsv ? "text/csv" : "application/json" }));
      link.download = `${session.listener.replace(/[^\p{L}\p{N}]+/gu, "_")}-${session.session}.${link.dataset.format}`;
    }
    const heard = pieces.filter((piece) => session.answers.some((one) => one.piece === piece.key));
    end.querySelector("tbody").replaceChildren(...heard.map((piece, index) => {
      const row = document.createElement("tr");
      const first = row.appendChild(document.createElement("th"));
      first.scope = "row";
      const link = first.appendChild(document.createElement("a"));
      link.href = `index.html#${piece.descriptor}`;
      link.textContent = `${index + 1}. ${spoken(piece.descriptor)}`;
      for (const level of LEVELS) {
        const cell = row.appendChild(document.createElement("td"));
        const one = session.answers.find((given) => given.piece === piece.key && given.level === level);
        if (!one) continue;
        const isHit = one.answer === one.truth;
        cell.className = isHit ? "right" : "wrong";
        cell.textContent = isHit ? `✓ ${spoken(one.truth)}` : `✗ ${spoken(one.answer)} (${spoken(one.truth)})`;
      }
      return row;
    }));
    document.getElementById("end-title").focus();
  }
}

if (typeof document === "undefined") module.exports = { decoded, drawn, score, asCsv };
else run();
