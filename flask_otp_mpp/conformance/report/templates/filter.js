"use strict";
const form = document.getElementById("filter");
const cases = [...document.querySelectorAll(".case")].map((element) => ({
  element,
  status: element.dataset.status,
  group: element.parentElement.dataset.group,
  text: "",
}));
const groups = [...document.querySelectorAll(".group")];

function textOf(one) {
  one.text ||= one.element.textContent.toLowerCase();
  return one.text;
}

function filter() {
  const asked = new FormData(form);
  const statuses = asked.getAll("status");
  const words = asked.get("text").toLowerCase().split(/\s+/);
  let shown = 0;
  for (const one of cases) {
    const isShown =
      statuses.includes(one.status) &&
      ["", one.group].includes(asked.get("group")) &&
      words.every((word) => textOf(one).includes(word));
    one.element.hidden = !isShown;
    shown += isShown;
  }
  for (const group of groups) {
    group.hidden = !group.querySelector(".case:not([hidden])");
  }
  form.elements.shown.value = `${shown} of ${cases.length} cases are shown`;
}

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches(".case")) {
    form.reset();
    filter();
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus();
  }
}

form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", open);
form.hidden = false;
filter();
open();
