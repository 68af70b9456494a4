"use strict";
// Shows the mails and the events of the local stack as they arrive. Their content is inserted as text; HTML is shown in a frame without scripts and with an opaque origin.

const ASK_AGAIN_MS = 1000;
const EVENTS = 50;
const part = (id) => document.getElementById(id);
let mails = [];
let chosen = ""; // id of the mail that was clicked; the newest is shown as long as none was

const time = (mail) => new Date(mail.Timestamp * 1000).toLocaleString();

function line(mail) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  const add = (tag, text) => Object.assign(button.appendChild(document.createElement(tag)), { textContent: text, dir: "auto" });
  add("strong", mail.Subject);
  add("span", mail.To.join(", "));
  add("span", time(mail));
  button.dataset.mail = mail.MessageId;
  button.setAttribute("aria-current", String(mail === shown()));
  button.addEventListener("click", () => { chosen = mail.MessageId; show(); });
  return item;
}

const shown = () => mails.find((mail) => mail.MessageId === chosen) ?? mails[0];

function show() {
  const mail = shown();
  const focused = document.activeElement.dataset.mail;
  part("list").replaceChildren(...mails.map(line));
  if (focused) part("list").querySelector(`[data-mail="${CSS.escape(focused)}"]`)?.focus();
  part("state").textContent = mails.length === 1 ? "1 mail" : `${mails.length} mails`;
  part("mail").hidden = !mail;
  if (!mail || part("mail").dataset.id === mail.MessageId) return;
  part("mail").dataset.id = mail.MessageId;
  part("subject").textContent = mail.Subject;
  part("from").textContent = mail.Source;
  part("to").textContent = mail.To.join(", ");
  part("sent").textContent = time(mail);
  part("text").textContent = mail.BodyText;
  // A link in the mail opens in a new tab.
  part("html").srcdoc = mail.BodyHtml.replace("<head>", '<head><base target="_blank">');
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
    for (const [tag, text] of [["strong", event.type], ["span", event.data.account_id], ["span", new Date(event.timestamp).toLocaleString()]]) {
      item.appendChild(document.createElement(tag)).textContent = text;
    }
    return item;
  }));
}

async function ask() {
  try {
    const answer = await (await fetch("/_ministack/ses/messages")).json();
    const now = Object.values(answer.messages).flat().sort((one, other) => other.Timestamp - one.Timestamp);
    if (now.length !== mails.length || now[0]?.MessageId !== mails[0]?.MessageId || now.length === 0) {
      mails = now;
      show();
    }
    await askForEvents();
  } catch {
    part("state").textContent = "The stack does not answer.";
  }
  setTimeout(ask, ASK_AGAIN_MS);
}

part("parts").addEventListener("change", (event) => {
  for (const name of ["html", "text"]) part(name).hidden = event.target.value !== name;
});
ask();
