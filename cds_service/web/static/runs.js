// What is under way, looked at again every few seconds; without this script a reload does it.
"use strict";
(() => {
  const here = document.getElementById("runs-here");
  const told = document.getElementById("runs-told");
  const BUSY = 2_000;
  const IDLE = 10_000;

  function now() {
    return document.getElementById("runs-now");
  }

  function tell(running) {
    const words = running === 0 ? "none" : running === 1 ? "one" : "more";
    told.textContent = told.dataset[words].replace("%", String(running));
  }

  async function look() {
    let answer = null;
    try {
      answer = document.hidden ? null : await fetch(here.dataset.address);
    } catch {
      // Away for a moment; the next look tries again.
    }
    if (answer !== null && answer.ok) put(await answer.text());
    // Who is signed out is told by the session's own script, or by the next click.
    if (answer === null || answer.status !== 401) wait();
  }

  function put(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("runs-now");
    if (fresh === null) return;
    const before = now();
    const isOther = fresh.dataset.mark !== before.dataset.mark;
    // Who is reading a table by keyboard is not thrown out of it.
    const isInside = before.contains(document.activeElement);
    if (isInside && !isOther) {
      update(before, fresh);
      return;
    }
    const place = isInside ? document.activeElement.id : "";
    before.replaceWith(document.adoptNode(fresh));
    if (isInside) (document.getElementById(place) ?? here.querySelector(".table")).focus();
    if (isOther) tell(Number(fresh.dataset.running));
  }

  // Bars alone, in their places.
  function update(before, fresh) {
    const rows = before.querySelectorAll(".row");
    fresh.querySelectorAll(".row").forEach((row, i) => rows[i]?.replaceWith(row));
  }

  let timer = null;

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(look, Number(now().dataset.running) > 0 ? BUSY : IDLE);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      clearTimeout(timer);
      look();
    }
  });
  wait();
})();
