// Times in the reader's zone; the tooltip has UTC and the zone's name. Without this script pages show UTC.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const language = document.documentElement.lang;
  const day = new Intl.DateTimeFormat(language, { year: "numeric", month: "short", day: "numeric" });
  const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const near = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  const shown = (at) => {
    const now = new Date();
    if (at.toDateString() === now.toDateString()) return clock.format(at);
    return `${at.getFullYear() === now.getFullYear() ? near.format(at) : day.format(at)} ${clock.format(at)}`;
  };
  const show = (root) => {
    for (const each of root.querySelectorAll("time[datetime]:not([data-shown])")) {
      const at = new Date(each.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      each.textContent = shown(at);
      each.title = `${day.format(at)} ${clock.format(at)} ${zone}\n${each.title}`;
      each.dataset.shown = "";
    }
  };
  window.growbin.showTimes = show;
  show(document);
  document.addEventListener("htmx:afterSwap", () => show(document));
})();
