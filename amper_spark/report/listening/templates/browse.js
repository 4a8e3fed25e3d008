"use strict";
// Filters, and one piece at a time: the page can be listened to without this.

(function () {
  const form = document.querySelector(".filter");
  const status = document.querySelector("[role=status]");
  const pieces = [...document.querySelectorAll(".piece")];

  function show() {
    const wanted = [...new FormData(form)].filter(([, value]) => value);
    for (const piece of pieces) {
      piece.hidden = !wanted.every(([name, value]) => piece.dataset[name] === value);
    }
    for (const section of document.querySelectorAll(".subgenre, .genre")) {
      section.hidden = !section.querySelector(".piece:not([hidden])");
    }
    for (const link of document.querySelectorAll(".genres a")) {
      link.parentElement.hidden = document.querySelector(link.getAttribute("href")).hidden;
    }
    const count = pieces.filter((piece) => !piece.hidden).length;
    status.textContent = wanted.length ? `${count} of ${pieces.length} pieces` : "";
  }

  form.hidden = false;
  form.addEventListener("change", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  show();

  document.addEventListener("play", (event) => {
    for (const audio of document.querySelectorAll("audio")) {
      if (audio !== event.target) audio.pause();
    }
  }, true);
})();
