// Checks four times in three seconds whether anything changed, and if so takes over the new page's contents. Only the
// server writes HTML, so there is one place that must escape.
"use strict";
let version = document.body.dataset.version;
async function refresh() {
  try {
    const now = await (await fetch("/_sandbox/version")).json();
    if (String(now.version) !== version) {
      const text = await (await fetch("/")).text();
      const page = new DOMParser().parseFromString(text, "text/html");
      version = page.body.dataset.version;
      for (const part of ["header", "main"]) {
        document.querySelector(part).replaceWith(page.querySelector(part));
      }
    }
  } catch {
    // The sandbox has stopped. Keep showing its last state.
  }
  setTimeout(refresh, 750);
}
if (!document.hidden) refresh();
else document.addEventListener("visibilitychange", refresh, { once: true });
