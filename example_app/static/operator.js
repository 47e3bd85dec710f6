// The page is fetched again while somebody looks, and its parts that have changed are replaced.

const fresh = document.getElementById("fresh");
const EVERY = 2000; // milliseconds

function say(text) {
  if (fresh.textContent !== text) fresh.textContent = text;
}

async function update() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const news = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of news.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      if (old.innerHTML === part.innerHTML) continue;
      if (old.contains(document.activeElement)) continue; // somebody reads it by keyboard
      old.innerHTML = part.innerHTML;
      old.className = part.className;
    }
    say("Updated every two seconds.");
  } catch {
    say("The wallet does not answer; trying again.");
  }
}

setInterval(update, EVERY);
update();
