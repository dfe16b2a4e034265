// Forms that ask before they act, toasts, copying, and closing the account's sheet.
"use strict";
(() => {
  const toasts = document.getElementById("toasts");
  const dialog = document.getElementById("confirm");
  const toast = (text, bad = false) => {
    const box = document.createElement("div");
    box.className = bad ? "toast bad" : "toast";
    box.textContent = text;
    toasts.append(box);
    setTimeout(() => box.remove(), bad ? 12000 : 5000);
  };
  window.growbin.toast = toast;

  // <form data-confirm="Title" data-confirm-text="…" data-confirm-typed="120" data-confirm-label="Type 120 to confirm">
  const confirmed = new WeakSet();
  const ask = (form, submitter) => {
    const part = (name) => dialog.querySelector(`[data-part=${name}]`);
    dialog.querySelector("h2").textContent = form.dataset.confirm;
    part("text").textContent = form.dataset.confirmText || "";
    part("typed").hidden = !form.dataset.confirmTyped;
    part("typed").querySelector("span").textContent = form.dataset.confirmLabel || "";
    const field = part("typed").querySelector("input");
    const right = () => !form.dataset.confirmTyped || field.value.trim() === form.dataset.confirmTyped;
    field.value = "";
    part("yes").disabled = !right();
    field.oninput = () => { part("yes").disabled = !right(); };
    dialog.returnValue = "no";
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes" || !right()) return;
      confirmed.add(form);
      form.requestSubmit(submitter || undefined);
    };
    dialog.showModal();
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !confirmed.has(form)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(form, event.submitter);
      return;
    }
    confirmed.delete(form);
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      if (form.dataset.sent) { event.preventDefault(); return; } // a double click is one request
      form.dataset.sent = "1";
    }
  }, true);
  window.addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent; });

  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) copyText(copy.dataset.copy);
    for (const open of document.querySelectorAll("details.person[open]")) if (!open.contains(event.target)) open.open = false;
  });
  const copyText = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // over plain HTTP there is no clipboard: the old way
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    toast(toasts.dataset.copied);
  };
  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const plain = (answer.getResponseHeader("content-type") || "").startsWith("text/plain");
    toast(plain && answer.responseText.length < 500 ? answer.responseText : `${answer.status}: ${toasts.dataset.failed}`, true);
  });
  document.addEventListener("htmx:sendError", () => toast(toasts.dataset.away, true));
})();

// What is open or being typed is not swapped away by what is live.
document.addEventListener("htmx:beforeSwap", (event) => {
  const target = event.detail.target;
  if (target.querySelector("details.popover[open]") || (target.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"))) {
    event.detail.shouldSwap = false;
  }
});
