// Make the console quicker: replace its part of the page, say what came, copy texts.
// Without this module the forms work by themselves.

const area = document.getElementById("console");
const status = document.getElementById("console-status");

function addCopyButtons() {
  for (const figure of area.querySelectorAll("figure.shown")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy-text";
    button.textContent = "Copy";
    const name = figure.querySelector("figcaption strong").textContent;
    button.setAttribute("aria-label", `Copy: ${name}`);
    button.addEventListener("click", () => copy(figure.querySelector("pre"), button, name));
    figure.append(button);
  }
}

async function copy(text, button, name) {
  try {
    await navigator.clipboard.writeText(text.textContent);
  } catch {
    // Without leave for the clipboard the text is selected.
    getSelection().selectAllChildren(text);
    status.textContent = "The text is selected: copy it by Ctrl+C";
    return;
  }
  button.textContent = "Copied";
  status.textContent = `Copied: ${name}`;
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function show(page, url) {
  area.replaceChildren(...page.getElementById("console").childNodes);
  history.replaceState(null, "", url);
  addCopyButtons();
  const last = document.getElementById("last");
  if (last) {
    last.focus({ preventScroll: true });
    last.scrollIntoView({ block: "start" });
    const codes = [...last.querySelectorAll(".badge")].map((badge) => badge.textContent);
    const heading = last.querySelector("h2");
    status.textContent = heading ? `${heading.textContent}: ${codes.join(", ")}` : last.textContent;
  }
}

async function submit(form, button) {
  const body = new URLSearchParams(new FormData(form));
  const action = button?.getAttribute("formaction") ?? form.getAttribute("action");
  form.setAttribute("aria-busy", "true");
  for (const one of form.querySelectorAll("button")) one.disabled = true;
  status.textContent = form.dataset.busy;
  try {
    const answer = await fetch(action, { method: "POST", body });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"), answer.url);
  } catch {
    status.textContent = "The wallet did not answer.";
    form.removeAttribute("aria-busy");
    for (const one of form.querySelectorAll("button")) one.disabled = false;
    complain(form);
  }
}

function complain(form) {
  const notice = form.querySelector(".notice.bad") ?? document.createElement("p");
  notice.className = "notice bad";
  notice.textContent = "The wallet did not answer. Is it still running?";
  form.append(notice);
}

area.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target, event.submitter);
});
addCopyButtons();
