// Keys: g and a letter go to a page, j and k walk through rows, / searches, t changes the theme, ? shows the sheet.
"use strict";
(() => {
  const sheet = document.getElementById("keys");
  let went = 0;
  const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("main tr[data-href], main tr:has(a)")].filter((row) => row.closest("tbody"));
  const choose = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.hasAttribute("data-chosen"));
    if (at >= 0) all[at].removeAttribute("data-chosen");
    const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    row.setAttribute("data-chosen", "");
    row.scrollIntoView({ block: "nearest" });
  };
  const open = () => document.querySelector("tr[data-chosen] a")?.click();
  const letters = {
    "?": () => sheet.open || sheet.showModal(),
    "/": () => document.querySelector("input[type=search]")?.focus(),
    "j": () => choose(1), "k": () => choose(-1), "Enter": open,
    "t": () => window.growbin.toggleTheme(),
    "g": () => { went = Date.now(); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary, label")) return;
    if (Date.now() - went < 1500) {
      went = 0;
      const link = document.querySelector(`.side a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); return; }
    }
    const act = letters[event.key];
    if (act) { if (event.key !== "Enter") event.preventDefault(); act(); }
  });
  for (const button of document.querySelectorAll("[data-does]")) {
    button.hidden = false;
    button.addEventListener("click", () => (button.dataset.does === "theme" ? window.growbin.toggleTheme() : sheet.showModal()));
  }
})();
