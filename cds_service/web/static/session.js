// Says in time that a session is about to end, keeps it while somebody works, and leaves the page
// when it is over, so that nobody reads it on a screen that was left alone.
"use strict";
(() => {
  const dialog = document.getElementById("session-ends");
  const idle = Number(dialog.dataset.idle) * 1000;
  const warning = Math.min(60_000, idle / 3);
  const tellEvery = Math.min(60_000, idle / 4);
  const address = dialog.dataset.session;
  let active = Date.now();
  let told = active;
  let isOver = false;

  async function tell() {
    told = Date.now();
    try {
      const headers = { "X-CSRF-Token": dialog.dataset.csrf };
      const answer = await fetch(address, { method: "POST", headers });
      if (answer.status === 401) leave();
    } catch {
      // Away for a moment; the next sign of life tries again.
    }
  }

  function act() {
    if (isOver) return;
    active = Date.now();
    if (dialog.open) dialog.close();
    if (active - told > tellEvery) tell();
  }

  // A page that holds what was typed may take it off the screen in a way of its own.
  function leave() {
    if (isOver) return;
    isOver = true;
    const going = () => location.replace(dialog.dataset.leave);
    const over = new CustomEvent("session-over", { cancelable: true, detail: going });
    if (document.dispatchEvent(over)) going();
  }

  async function look({ isBack = false } = {}) {
    const left = active + idle - Date.now();
    if (isOver) return;
    if (left > warning && !isBack) return;
    // Somebody may work in another tab, which keeps the session too.
    let seconds = 0;
    try {
      const answer = await fetch(address);
      if (answer.ok) seconds = (await answer.json()).seconds;
    } catch {
      seconds = left / 1000;
    }
    if (seconds <= 0) {
      leave();
    } else if (seconds * 1000 <= warning) {
      if (!dialog.open) dialog.showModal();
    } else {
      active = Date.now() + seconds * 1000 - idle;
      if (dialog.open) dialog.close();
    }
  }

  for (const kind of ["keydown", "pointerdown", "wheel", "touchstart"]) {
    addEventListener(kind, act, { passive: true });
  }
  dialog.querySelector("button").addEventListener("click", () => {
    act();
    tell();
  });
  setInterval(() => look(), Math.min(5_000, idle / 10));
  // Whoever comes back to a page, from another tab or by the history, may find that somebody signed
  // out meanwhile: what it shows is then for nobody.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") look({ isBack: true });
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) look({ isBack: true });
  });
})();
