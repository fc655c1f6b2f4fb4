// Runs before the first paint, so that a chosen theme does not flash. Not a module for that reason.
"use strict";
(() => {
  const themes = ["system", "light", "dark"];
  const read = () => {
    try {
      const stored = localStorage.getItem("theme");
      return themes.includes(stored) ? stored : "system";
    } catch {
      return "system"; // storage may be forbidden
    }
  };
  const apply = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  apply(read());
  addEventListener("DOMContentLoaded", () => {
    const name = document.getElementById("theme-name");
    name.textContent = read();
    document.getElementById("theme").addEventListener("click", () => {
      const next = themes[(themes.indexOf(name.textContent) + 1) % themes.length];
      apply(next);
      name.textContent = next;
      try {
        localStorage.setItem("theme", next);
      } catch {
        // The choice then lasts as long as the page.
      }
    });
  });
})();
