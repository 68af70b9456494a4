"use strict";
// Shows the mails and the events of the local stack as they arrive. Their content is inserted as text; HTML is shown in a frame without scripts and with an opaque origin.

const ASK_AGAIN_MS = 1000;
const READ = "doorward-inbox-read";
const EVENTS = 50;
const SILENT = "The stack does not answer.";
const part = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 44rem)");
let mails = [];
let logo; // as a data URL, once a mail has shown one
let chosen = ""; // id of the mail that was clicked; the newest is shown as long as none was
let pressed = false; // whether the button of the mouse or a finger is down
// Mails that were shown, in this browser. The emulator gives its ids anew, so few are enough.
const read = new Set(JSON.parse(localStorage.getItem(READ) ?? "[]"));

const exact = (mail) => new Date(mail.Timestamp * 1000).toLocaleString();

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

// "2 minutes ago", in the browser's language.
function ago(mail) {
  const seconds = Math.round(mail.Timestamp - Date.now() / 1000);
  const [unit, length] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, length]) => -seconds >= length) ?? ["second", 1];
  return relative.format(Math.min(0, Math.trunc(seconds / length)), unit);
}

// The link that somebody came for: the first one with a token, otherwise the first.
const link = (mail) => (mail.BodyText.match(/https?:\/\/\S+/g) ?? []).sort((one, other) => other.includes("dw") - one.includes("dw"))[0];

const found = () => {
  const words = part("search").value.toLowerCase().split(/\s+/u);
  return mails.filter((mail) => words.every((word) => `${mail.Subject} ${mail.To.join(" ")} ${mail.BodyText}`.toLowerCase().includes(word)));
};

const shown = (there = found()) => there.find((mail) => mail.MessageId === chosen) ?? there[0];

const lines = new Map(); // the entry of every mail that was listed, by the mail's id

function line(mail, current) {
  if (!lines.has(mail.MessageId)) lines.set(mail.MessageId, newLine(mail));
  const item = lines.get(mail.MessageId);
  item.firstChild.dataset.unread = String(!read.has(mail.MessageId));
  item.firstChild.setAttribute("aria-current", String(mail === current));
  return item;
}

function newLine(mail) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  const add = (tag, text) => Object.assign(button.appendChild(document.createElement(tag)), { textContent: text, dir: "auto" });
  add("strong", mail.Subject);
  add("span", mail.To.join(", "));
  const time = add("time", ago(mail));
  time.title = exact(mail);
  button.addEventListener("click", () => {
    chosen = mail.MessageId;
    document.body.classList.add("reading");
    show();
    if (narrow.matches) part("back").focus();
  });
  return item;
}

// Entries that stay are not touched: one that is taken out, even for a moment, loses the focus and the key that is down on it.
function list(items) {
  const entries = part("list").children;
  const kept = new Set(items);
  for (const gone of [...entries].filter((entry) => !kept.has(entry))) gone.remove();
  items.forEach((item, place) => { if (entries[place] !== item) part("list").insertBefore(item, entries[place] ?? null); });
}

function remember(mail) {
  if (read.has(mail.MessageId)) return;
  read.add(mail.MessageId);
  localStorage.setItem(READ, JSON.stringify([...read].slice(-1000)));
}

function show() {
  const there = found();
  const mail = shown(there);
  if (mail && (!narrow.matches || document.body.classList.contains("reading"))) remember(mail);
  list(there.map((each) => line(each, mail)));
  const unread = mails.filter(({ MessageId }) => !read.has(MessageId)).length;
  const count = there.length === mails.length ? (mails.length === 1 ? "1 mail" : `${mails.length} mails`) : `${there.length} of ${mails.length} mails`;
  part("state").textContent = unread > 0 ? `${count}, ${unread} unread` : count;
  document.title = unread > 0 ? `(${unread}) Inbox` : "Inbox";
  part("mail").hidden = !mail;
  if (!mail || part("mail").dataset.id === mail.MessageId) return;
  part("mail").dataset.id = mail.MessageId;
  part("subject").textContent = mail.Subject;
  part("from").textContent = mail.Source;
  part("to").textContent = mail.To.join(", ");
  part("sent").textContent = exact(mail);
  part("text").textContent = mail.BodyText;
  part("copy").hidden = !link(mail);
  part("copied").textContent = "";
  frame(mail);
}

// A link in the mail opens in a new tab. The emulator forgets what is attached to a mail, so a logo comes from beside this page.
async function frame(mail) {
  if (mail.BodyHtml.includes('"cid:logo"') && logo === undefined) logo = await picture("logo.png");
  if (part("mail").dataset.id === mail.MessageId) {
    part("html").srcdoc = mail.BodyHtml.replace("<head>", '<head><base target="_blank">').replaceAll('"cid:logo"', `"${logo ?? ""}"`);
  }
}

// Nothing if it cannot be fetched: a mail is shown without its picture then.
async function picture(name) {
  try {
    const answer = await fetch(name);
    const bytes = answer.ok ? new Uint8Array(await answer.arrayBuffer()) : [];
    return bytes.length ? `data:image/png;base64,${btoa(String.fromCharCode(...bytes))}` : undefined;
  } catch {
    return undefined;
  }
}

// What the bus has put into the queue that `make up` made for this page: the newest first.
async function askForEvents() {
  const answer = await (await fetch("/_ministack/sqs/messages")).json();
  const queues = Object.values(answer.messages).flatMap(Object.values).flatMap(Object.entries);
  const messages = queues.filter(([url]) => url.endsWith("/doorward-inbox")).flatMap(([, waiting]) => waiting);
  const events = messages.map((message) => JSON.parse(message.Body).detail).sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, EVENTS);
  part("told").hidden = events.length === 0;
  if (part("events").firstChild?.dataset.event === events[0]?.id) return;
  part("events").replaceChildren(...events.map((event) => {
    const item = Object.assign(document.createElement("li"), { dir: "auto" });
    item.dataset.event = event.id;
    for (const [tag, text] of [["strong", event.type], ["span", event.data.account_id ?? `${event.data.count} accounts`], ["span", new Date(event.timestamp).toLocaleString()]]) {
      item.appendChild(document.createElement(tag)).textContent = text;
    }
    return item;
  }));
}

async function ask() {
  try {
    let now;
    do {
      const answer = await (await fetch("/_ministack/ses/messages")).json();
      now = Object.values(answer.messages).flat().sort((one, other) => other.Timestamp - one.Timestamp);
      // Nothing moves between pressing and releasing: a browser clicks only what was under the pointer both times.
    } while (pressed && await new Promise((again) => setTimeout(again, ASK_AGAIN_MS, true)));
    const same = now.length === mails.length && now[0]?.MessageId === mails[0]?.MessageId;
    if (!same || now.length === 0 || part("state").textContent === SILENT) {
      mails = now;
      show();
    }
    for (const mail of mails) {
      const time = lines.get(mail.MessageId)?.querySelector("time");
      if (time && time.textContent !== ago(mail)) time.textContent = ago(mail);
    }
    await askForEvents();
  } catch {
    part("state").textContent = SILENT;
  }
  setTimeout(ask, ASK_AGAIN_MS);
}

part("parts").addEventListener("change", (event) => {
  for (const name of ["html", "text"]) part(name).hidden = event.target.value !== name;
});
part("search").addEventListener("input", show);
addEventListener("pointerdown", (event) => { pressed = event.isPrimary && event.button === 0; });
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => { pressed = false; });
part("back").addEventListener("click", () => {
  document.body.classList.remove("reading");
  part("list").querySelector("[aria-current=true]")?.focus();
});
part("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(link(shown()));
    part("copied").textContent = "Copied";
  } catch {
    part("copied").textContent = "The browser does not let this page copy.";
  }
});
narrow.addEventListener("change", show);
ask();
