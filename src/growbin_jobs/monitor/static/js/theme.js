// The theme that somebody has chosen in this browser, before anything is painted. Without a choice the system's holds.
"use strict";
(() => {
  const root = document.documentElement;
  const read = () => { try { return localStorage.getItem("growbin-theme"); } catch { return null; } };
  const apply = (theme) => { theme ? root.setAttribute("data-theme", theme) : root.removeAttribute("data-theme"); };
  apply(read());
  window.growbin = window.growbin || {};
  window.growbin.toggleTheme = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const theme = dark ? "light" : "dark";
    try { localStorage.setItem("growbin-theme", theme); } catch { /* private mode: for this page only */ }
    apply(theme);
    document.dispatchEvent(new CustomEvent("growbin:theme", { detail: theme }));
  };
})();
