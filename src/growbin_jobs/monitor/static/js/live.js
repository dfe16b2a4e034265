// One stream of what is new for all tabs of a browser. The tab that holds a lock reads it and tells the others; when it
// closes, another one takes over. Where that cannot be had (plain HTTP from another machine), each visible tab polls.
// What is new arrives at the page as the event "live:TOPIC" on the body; "live:any" comes with each.
"use strict";
(() => {
  const prefix = document.body.dataset.prefix;
  const sign = document.getElementById("live");
  if (!document.body.dataset.live || !sign) return;
  let position = null;
  let paused = false;
  const known = () => (position ? `?after=${encodeURIComponent(position)}` : "");
  const show = (state) => {
    const shown = paused ? "paused" : state;
    if (!paused) sign.dataset.last = state;
    sign.dataset.state = shown;
    sign.title = sign.dataset[shown];
    sign.querySelector("span").textContent = sign.dataset[shown];
  };
  const tell = (topics) => {
    if (paused) return;
    for (const topic of topics) document.body.dispatchEvent(new CustomEvent(`live:${topic}`));
    if (topics.length) document.body.dispatchEvent(new CustomEvent("live:any"));
  };
  const all = () => [...new Set([...document.querySelectorAll("[hx-trigger]")]
    .flatMap((each) => each.getAttribute("hx-trigger").match(/live:[\w-]+/g) || []).map((name) => name.slice(5)))];
  const hear = (message) => {
    if (message.position) position = message.position;
    if (message.state) show(message.state);
    if (message.topics) tell(message.topics);
    if (message.reset) tell(all().filter((topic) => topic !== "any"));
    if (message.ended) location.reload();
  };

  // While somebody types or has a dialog open, nothing under the fingers may change.
  const busy = () => document.querySelector("dialog[open]") || document.activeElement?.matches("main input:not([type=checkbox]), main textarea, main select");
  const look = () => {
    const was = paused;
    paused = Boolean(busy());
    if (was && !paused) { show(sign.dataset.last || "off"); tell(all().filter((topic) => topic !== "any")); } else if (!was && paused) show("paused");
  };
  document.addEventListener("focusin", look);
  document.addEventListener("focusout", () => setTimeout(look, 0));
  document.addEventListener("close", () => setTimeout(look, 0), true);

  const canShare = "locks" in navigator && "BroadcastChannel" in window && "EventSource" in window;
  if (canShare) {
    const channel = new BroadcastChannel(`growbin-live:${prefix}`);
    let leading = false;
    let state = "off";
    const share = (message) => { if (message.state) state = message.state; hear(message); channel.postMessage(message); };
    channel.onmessage = (event) => {
      if (event.data.ask) { if (leading) channel.postMessage({ state }); } else hear(event.data);
    };
    channel.postMessage({ ask: true });
    navigator.locks.request(`growbin-live:${prefix}`, () => new Promise(() => { leading = true; listen(share); }));
  } else {
    poll();
  }

  function listen(share) {
    let failures = 0;
    const source = new EventSource(`${prefix}/live/stream${known()}`);
    source.onopen = () => { failures = 0; share({ state: "on" }); };
    source.addEventListener("changed", (event) => share({ topics: JSON.parse(event.data), position: event.lastEventId }));
    source.addEventListener("reset", (event) => share({ reset: true, position: event.lastEventId }));
    source.addEventListener("end", () => { source.close(); share({ ended: true }); });
    source.onerror = () => {
      failures += 1;
      share({ state: "off" });
      if (source.readyState === EventSource.CLOSED || failures > 3) { source.close(); pollFor(60000).then(() => listen(share)); }
    };
    const pollFor = (time) => { const until = Date.now() + time; return ask(() => Date.now() < until, share); };
  }

  function poll() { ask(() => true, hear); }

  async function ask(going, share) {
    while (going()) {
      if (!document.hidden) {
        try {
          const answer = await fetch(`${prefix}/live/changes${known()}`, { redirect: "manual" });
          if (answer.type === "opaqueredirect" || answer.status === 401) { location.reload(); return; }
          if (answer.ok) {
            const { position: now, topics } = await answer.json();
            share({ state: "polling", position: now, topics: topics || [], reset: topics === null });
          } else share({ state: "off" });
        } catch { share({ state: "off" }); }
      }
      await new Promise((done) => setTimeout(done, 5000));
    }
  }
})();
