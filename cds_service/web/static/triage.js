// Checks numbers while they are typed, and shows the result below the form. The server checks
// everything again; without this script the same form and the same result are pages.
"use strict";
(() => {
  const form = document.getElementById("triage");

  for (const button of document.querySelectorAll("[data-print]")) offerPrint(button);
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
  if (!form) return;

  const say = form.dataset;
  const result = document.getElementById("result");
  const waiting = document.getElementById("waiting");
  const number = /^[0-9]{1,4}(?:[.,][0-9]{1,2})?$/;
  let assessed = null;
  const measured = [...form.querySelectorAll("input[data-low]")];

  function offerPrint(button) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }

  function isFahrenheit() {
    return form.elements.temperature_unit.value === "[degF]";
  }

  function limit(input, name) {
    const prefix = input.name === "body_temperature" && isFahrenheit() ? "data-f-" : "data-";
    return Number(input.getAttribute(prefix + name));
  }

  function valueOf(input) {
    return Number(input.value.trim().replace(",", "."));
  }

  function unitOf(input) {
    if (input.name === "body_temperature") return isFahrenheit() ? say.fahrenheit : say.celsius;
    return input.labels[0].querySelector(".unit").textContent.replace(/[()]/g, "").split(",")[0];
  }

  function written(value) {
    return String(value).replace(".", say.decimal);
  }

  // What is wrong with a value, and whether it is only asked about.
  function judge(input) {
    const text = input.value.trim();
    if (text === "") return [null, false];
    if (!number.test(text)) return [say.number, false];
    const value = valueOf(input);
    const [low, high] = [limit(input, "low"), limit(input, "high")];
    if (value < low || value > high) {
      const words = say.impossible.replace("{low}", written(low)).replace("{high}", written(high));
      return [words.replace("{unit}", unitOf(input)), false];
    }
    const { systolic_bp: top, diastolic_bp: bottom } = form.elements;
    const both = number.test(top.value.trim()) && number.test(bottom.value.trim());
    if (input === top && both && value <= valueOf(bottom)) return [say.higher, false];
    if (value < limit(input, "usual-low") || value > limit(input, "usual-high")) {
      return [say.extreme, true];
    }
    return [null, false];
  }

  // Shows it, and tells whether the form may be sent as far as this input goes.
  function check(input) {
    const [wrong, asks] = judge(input);
    const error = document.getElementById(`${input.name}-error`);
    error.textContent = wrong ?? "";
    error.hidden = wrong === null;
    if (wrong === null) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
    const asked = document.getElementById(`${input.name}-asked`);
    if (!asked) return wrong === null;
    const box = asked.querySelector("input");
    // What was measured twice is this value, not another one.
    if (box.value !== input.value.trim()) box.checked = false;
    box.value = input.value.trim();
    asked.hidden = !asks;
    if (!asks) box.checked = false;
    return wrong === null || (asks && box.checked);
  }

  for (const input of measured) {
    input.addEventListener("change", () => {
      check(input);
      if (input.name === "diastolic_bp") check(form.elements.systolic_bp);
    });
  }
  // What only the server judges is wrong until it is changed.
  for (const input of form.querySelectorAll("[aria-invalid]:not([data-low])")) {
    input.addEventListener("change", () => {
      input.removeAttribute("aria-invalid");
      const error = document.getElementById(`${input.id}-error`);
      if (error) error.hidden = true;
    });
  }
  for (const unit of form.elements.temperature_unit) {
    unit.addEventListener("change", () => check(form.elements.body_temperature));
  }

  // From a page of ours; text in it stays text, since nothing in a parsed document runs.
  async function fetched(address, options) {
    const headers = { Accept: "text/html" };
    const answer = await fetch(address, { headers, ...options });
    return [answer, new DOMParser().parseFromString(await answer.text(), "text/html")];
  }

  // The session is over: what was typed goes off the screen, and what is left of it is sealed.
  document.addEventListener("session-over", async (event) => {
    if (!form.isConnected || !isTyped() || entered() === assessed) return;
    event.preventDefault();
    document.getElementById("session-ends")?.close();
    document.body.hidden = true;
    try {
      const body = new URLSearchParams(entered());
      const [, page] = await fetched(say.kept, { method: "POST", body });
      if (page.getElementById("kept")) keep(page);
      else event.detail();
    } catch {
      event.detail();
    }
  });

  function entered() {
    return new URLSearchParams(new FormData(form)).toString();
  }

  function isTyped() {
    const inputs = [...form.querySelectorAll(".columns input, .columns select")];
    return inputs.some((one) => {
      if (one.type === "radio") return false;
      return one.type === "checkbox" ? one.checked : one.value.trim() !== "";
    });
  }

  // Somebody who signed in anew in another tab has a new session, and its forms a new token. Only
  // for the same person: what another one typed is not theirs to send.
  async function renew() {
    const [, page] = await fetched(form.action);
    const [then, now] = [document, page].map((one) => one.querySelector(".who p")?.textContent);
    const token = page.querySelector("#triage [name=csrf]")?.value;
    if (!token || then !== now) return false;
    for (const input of document.querySelectorAll("[name=csrf]")) input.value = token;
    const dialog = document.getElementById("session-ends");
    if (dialog) dialog.dataset.csrf = token;
    return true;
  }

  function keep(page) {
    document.title = page.title;
    document.body.replaceWith(document.adoptNode(page.body));
    document.querySelector("#kept h1").focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = measured.filter((input) => !check(input));
    if (wrong.length > 0) {
      wrong[0].focus();
      return;
    }
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    waiting.className = "";
    waiting.textContent = say.wait;
    try {
      const body = new URLSearchParams(new FormData(form));
      const [answer, page] = await fetched(form.action, { method: "POST", body });
      const shown = page.getElementById("assessed");
      if (answer.ok && shown) show(shown, answer.url);
      else if (page.getElementById("errors")) redo(page);
      else if (page.getElementById("kept")) keep(page);
      else if (answer.status === 403 && (await renew())) waiting.textContent = say.renewed;
      else if (answer.status >= 500) waiting.textContent = say.away;
      else form.submit();
    } catch {
      waiting.textContent = say.away;
    }
    button.disabled = false;
  });

  function show(shown, address) {
    // One page has one main heading.
    const heading = shown.querySelector("h1");
    const title = document.createElement("h2");
    title.id = heading.id;
    title.tabIndex = -1;
    title.textContent = heading.textContent;
    heading.replaceWith(title);
    document.getElementById("errors")?.remove();
    form.elements.sent.value = shown.dataset.next;
    // The form is still that of this case: whoever comes next gets a number of their own.
    form.elements.is_again.value = "1";
    document.getElementById("case-hint").textContent = say.again;
    document.getElementById("case-next").hidden = false;
    for (const box of form.querySelectorAll("[name^=again-]")) box.checked = false;
    assessed = entered();
    result.replaceChildren(document.adoptNode(shown));
    for (const button of result.querySelectorAll("[data-print]")) offerPrint(button);
    // On paper only the result is left.
    document.getElementById("content").classList.add("answered");
    // To load the page again, or to read it in the other language, is to read the result.
    history.replaceState(null, "", address);
    // Said aloud is only the verdict; whoever wants the rest reads on from the heading.
    const said = result.querySelectorAll("#assessed > .note, .kind, .headline");
    waiting.className = "hidden-word";
    waiting.textContent = [...said].map((one) => one.textContent).join(": ");
    title.focus();
  }

  function redo(page) {
    document.getElementById("content").classList.remove("answered");
    document.getElementById("content").replaceChildren(...page.getElementById("content").children);
    const again = document.createElement("script");
    again.src = document.querySelector("script[src*='triage.js']").src;
    document.body.append(again);
  }
})();
