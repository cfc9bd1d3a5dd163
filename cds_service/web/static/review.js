// Keys for the review pages, and the name of a rare disease while its code is typed. Every key
// presses a button or a link that is there; without this script all of them work.
"use strict";
(() => {
  const dialog = document.getElementById("keys");
  const opener = document.getElementById("keys-open");
  const use = document.getElementById("keys-use");
  const rare = document.getElementById("rare");
  const code = document.getElementById("rare-code");
  const correct = document.getElementById("correct");
  const remembered = "cds-review-keys";
  let isUsed = recall() !== "off";

  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
  document.getElementById("keys-close").addEventListener("click", () => dialog.close());
  use.checked = isUsed;
  mark();
  // Who speaks to the computer, or has a hand that is not steady, can do without them.
  use.addEventListener("change", () => {
    isUsed = use.checked;
    try {
      localStorage.setItem(remembered, isUsed ? "on" : "off");
    } catch {
      // Then it holds for this page alone.
    }
    mark();
  });

  const told = document.getElementById("wrong") ?? document.getElementById("patient");
  if (told) {
    told.tabIndex = -1;
    told.focus();
  }

  function recall() {
    try {
      return localStorage.getItem(remembered);
    } catch {
      return null;
    }
  }

  function mark() {
    document.body.classList.toggle("no-keys", !isUsed);
  }

  // A field that is typed into keeps its letters.
  function isTyping(target) {
    return target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
  }

  function choose(key) {
    const radio = document.querySelector(`input[name=answer][value="${key}"]`);
    if (!radio) return false;
    if (correct) correct.open = true;
    radio.checked = true;
    radio.focus();
    return true;
  }

  function toggleRare() {
    if (!rare) return false;
    if (correct) correct.open = true;
    rare.open = !rare.open;
    code.disabled = !rare.open;
    if (rare.open) code.focus();
    else rare.querySelector("summary").focus();
    return true;
  }

  function press(key) {
    const button = document.querySelector(`[data-key="${key}"]`);
    // What is folded away is not to be pressed unseen.
    if (!button || !button.checkVisibility()) return false;
    button.click();
    return true;
  }

  function openCorrection() {
    if (!correct) return false;
    correct.open = true;
    (correct.querySelector("input:checked") ?? correct.querySelector("input[type=radio]")).focus();
    return true;
  }

  function act(key) {
    if (key === "?") {
      dialog.showModal();
      return true;
    }
    if (key === "c") return openCorrection();
    if (key === "r") return toggleRare();
    return choose(key) || press(key);
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat) return;
    if (document.querySelector("dialog[open]") || isTyping(event.target)) return;
    if (!isUsed) return;
    // A link, a button or a summary that has the focus is what Enter is for.
    if (event.key === "Enter" && event.target.matches("a, button, summary, input")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((/^[1-5a-z?]$/.test(key) || key === "Enter") && act(key)) event.preventDefault();
  });

  // The name of what is typed, a moment after the last letter.
  let waiting = null;
  let asked = 0;
  code?.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, 400);
  });
  rare?.addEventListener("toggle", () => {
    // What is folded away is not sent.
    code.disabled = !rare.open;
  });
  if (code) code.disabled = !rare.open;

  async function look() {
    const name = document.getElementById("rare-name");
    const mine = ++asked;
    if (code.value.trim() === "") {
      name.textContent = "";
      return;
    }
    const token = code.form.elements.csrf.value;
    const body = new URLSearchParams({ rare: code.value });
    try {
      const answer = await fetch(code.dataset.lookup, {
        method: "POST",
        headers: { "X-CSRF-Token": token },
        body,
      });
      if (answer.ok && mine === asked) name.textContent = (await answer.json()).text;
    } catch {
      // It is checked again when the answer is sent.
    }
  }
})();
