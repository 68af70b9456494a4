
"use strict";
(() => {
  const form = document.getElementById("reset");
  const part = (id) => document.getElementById(id);
  const password = part("password");
  const again = part("again");
  const words = form.dataset;

  // Shows or hides the passwords in both fields.
  part("show-row").hidden = false;
  part("show").addEventListener("change", (event) => {
    for (const field of [password, again]) field.type = event.target.checked ? "text" : "password";
  });

  // Only a hint; the server decides.
  const level = (text) => {
    const characters = [...text];
    const distinct = new Set(characters).size;
    const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(text)).length;
    const name = form.elements.username.value.toLowerCase();
    if (characters.length < Number(words.least) || (name.length > 2 && text.toLowerCase().includes(name))) return 1;
    const score = Math.min(characters.length, 2 * distinct) + 2 * (kinds - 1);
    return score < 12 ? 1 : score < 16 ? 2 : score < 22 ? 3 : 4;
  };
  const say = (element, text) => {
    // An unchanged hint is not announced again.
    if (element.textContent !== text) element.textContent = text;
  };
  // What appears while somebody types has its room from the beginning, so that nothing moves.
  const strength = part("strength");
  strength.hidden = false;
  part("match").classList.add("roomy");
  part("hints").classList.add("stacked");
  const judge = () => {
    const reached = password.value === "" ? 0 : level(password.value);
    strength.dataset.level = reached;
    say(part("strength-word"), ["", words.weak, words.fair, words.good, words.strong][reached]);
  };
  // Keyboards of phones add a space after a word. It counts, and nobody sees it.
  const spaces = part("spaces");
  const caution = spaces.textContent;
  const warn = () => {
    const counts = /^\s|\s$/u.test(password.value);
    say(spaces, counts ? caution : "");
    part("password-hint").classList.toggle("away", counts);
  };
  spaces.classList.add("caution");
  warn();
  const compare = () => {
    const same = again.value === password.value;
    // While somebody is typing, nothing is reported as missing.
    const typing = password.value.startsWith(again.value);
    say(part("match"), again.value === "" ? "" : same ? words.match : typing ? "" : words.differ);
    part("match").dataset.same = same;
    again.setCustomValidity(same ? "" : words.differ);
  };
  password.addEventListener("input", () => { judge(); warn(); compare(); });
  again.addEventListener("input", compare);

  // Submits only once.
  const button = form.querySelector("button");
  form.addEventListener("submit", () => { button.disabled = true; });
  window.addEventListener("pageshow", () => { button.disabled = false; });
})();
