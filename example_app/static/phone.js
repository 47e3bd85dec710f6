// Messages arrive without a reload, and a tap copies the code.

const list = document.getElementById("messages");
const empty = document.getElementById("empty");
const link = document.getElementById("link");
const said = document.getElementById("said");
const stream = new URL(list.dataset.stream, location.href);
const shown = { all: ["MOBILE", "EMAIL"], sms: ["MOBILE"], mail: ["EMAIL"] }[list.dataset.app];
const AGAIN = 3000; // milliseconds
let silence = 0;
let doubt = 0;

function tell(text) {
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, 4000);
}

async function copy(button) {
  const { code } = button.dataset;
  try {
    await navigator.clipboard.writeText(code);
  } catch {
    // Without leave for the clipboard the code is selected, and the older command copies it.
    const text = button.closest(".message").querySelector(".code");
    getSelection().selectAllChildren(text);
    if (!document.execCommand("copy")) {
      tell("The code is selected: copy it by Ctrl+C");
      return;
    }
  }
  tell(`Copied ${code}`);
}

function offerCopies() {
  for (const button of list.querySelectorAll(".copy[hidden]")) button.hidden = false;
}

function count(channel) {
  const badge = document.querySelector(`.unread[data-channel="${channel}"]`);
  const unread = Number(badge.dataset.count ?? 0) + 1;
  badge.dataset.count = unread;
  badge.innerHTML = `<span aria-hidden="true">${unread}</span><span class="unseen">, ${unread} new</span>`;
  badge.hidden = false;
}

function arrive(event) {
  const { channel, html } = JSON.parse(event.data);
  stream.searchParams.set("after", event.lastEventId);
  if (document.getElementById(`message-${event.lastEventId}`)) return;
  if (shown.includes(channel)) {
    empty.hidden = true;
    list.insertAdjacentHTML("afterbegin", html);
    list.firstElementChild.classList.add("new");
    offerCopies();
  } else {
    count(channel);
  }
  tell(channel === "EMAIL" ? "New e-mail" : "New SMS");
}

function showLink(live) {
  clearTimeout(doubt);
  doubt = 0;
  link.textContent = live ? "Live" : "Connecting …";
  link.classList.toggle("live", live);
}

function listen() {
  const source = new EventSource(stream);
  source.addEventListener("open", () => showLink(true));
  source.addEventListener("message", arrive);
  source.addEventListener("error", () => {
    // A stream ends each minute, and the browser opens the next one at once: that is no news.
    doubt ||= setTimeout(showLink, AGAIN, false);
    // It does not do so after a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN);
  });
}

list.addEventListener("click", (event) => {
  const button = event.target.closest(".copy");
  if (button) copy(button);
});
offerCopies();
showLink(false);
listen();
