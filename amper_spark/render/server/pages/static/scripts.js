// Tells the style sheet, before anything is drawn, that there are scripts.
document.documentElement.classList.add("with-scripts");
