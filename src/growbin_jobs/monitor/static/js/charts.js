// Draws the charts of a page with uPlot, in the colours of the theme; again when a part of the page was exchanged.
"use strict";
(() => {
  const drawn = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const seconds = (value) => (value === null || value === undefined ? "–" : value < 1 ? `${Math.round(value * 1000)} ms` : value < 90 ? `${value.toFixed(1)} s` : `${(value / 60).toFixed(1)} min`);
  const height = 220;
  // uPlot itself writes times as in America, whatever the page's language.
  const language = document.documentElement.lang;
  const clock = (at) => new Date(at * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = (at) => new Date(at * 1000).toLocaleDateString(language, { month: "2-digit", day: "2-digit" });
  const times = (_, splits) => splits.map((at, number) => (number && day(at) === day(splits[number - 1]) ? clock(at) : `${clock(at)}\n${day(at)}`));

  // Bars of several series stand on each other: each series is drawn from the sum of those below it.
  const stacked = (series) => {
    const sums = new Array(series[0].values.length).fill(0);
    return series.map((each) => each.values.map((value, at) => (sums[at] += value || 0)));
  };

  const draw = (figure) => {
    const data = JSON.parse(figure.dataset.chart);
    const plot = figure.querySelector(".plot");
    drawn.get(figure)?.destroy();
    plot.replaceChildren();
    const bars = data.kind === "bars";
    const say = data.unit === "s" ? seconds : (value) => (value ?? "–").toLocaleString();
    const x = data.x.map((at) => (typeof at === "string" ? Date.parse(at) / 1000 : at));
    const columns = bars ? stacked(data.series) : data.series.map((each) => each.values);
    const order = data.series.map((_, at) => at);
    if (bars) order.reverse(); // the greatest sum first, so that the others are painted over it
    const axis = { stroke: colour("faint"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui" };
    const options = {
      width: Math.max(240, plot.clientWidth), height,
      cursor: { points: { size: 7 }, y: false },
      legend: { live: true },
      // uPlot would show years around a single point.
      scales: { x: { range: (_, least, most) => (most - least < 60 ? [least - 1800, most + 60] : [least, most]) }, y: { range: (_, __, most) => [0, Math.max(most * 1.08, bars ? 4 : 0.1)] } },
      axes: [{ ...axis, values: times }, { ...axis, size: 56, values: (_, splits) => splits.map(say) }],
      series: [
        { label: language === "ko" ? "시각" : "Time", value: (_, at) => (at ? clock(at) : "–") },
        ...order.map((at) => ({
          label: data.series[at].label,
          stroke: colour(data.series[at].colour), width: bars ? 0 : 2, spanGaps: false, points: { show: !bars && x.length < 3 },
          fill: bars ? colour(data.series[at].colour) : undefined,
          paths: bars ? uPlot.paths.bars({ size: [0.85, 24], align: 1 }) : undefined,
          value: (_, __, ___, index) => (index === null || index === undefined ? "–" : say(data.series[at].values[index])),
        })),
      ],
    };
    drawn.set(figure, new uPlot(options, [x, ...order.map((at) => columns[at])], plot));
  };
  const drawAll = () => {
    for (const figure of drawn.keys()) if (!figure.isConnected) { drawn.get(figure).destroy(); drawn.delete(figure); }
    for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
  };
  drawAll();
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("growbin:theme", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let waits = 0;
  window.addEventListener("resize", () => { clearTimeout(waits); waits = setTimeout(drawAll, 150); });

  // A click outside closes an open sheet, Escape too.
  document.addEventListener("click", (event) => { for (const open of document.querySelectorAll("details.popover[open]")) if (!open.contains(event.target)) open.open = false; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") for (const open of document.querySelectorAll("details.popover[open]")) { open.open = false; open.querySelector("summary").focus(); } });
})();
