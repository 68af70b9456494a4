// One's own account, without a framework or a build step. Every request that an account's owner can make is made here.
//
// The token of the session is kept in a variable alone, so that no other script of this origin finds it in storage, and reloading the page logs out.
// To stay logged in, keep it where your application keeps such things.

const api = document.querySelector('meta[name=api]').content;
const part = (id) => document.getElementById(id);
let token = null;

class Refused extends Error {
  constructor(status, answer) {
    super(`HTTP ${status}`);
    Object.assign(this, { status, answer });
  }
}

// Makes a request, and returns the answer's JSON.
async function ask(method, path, body) {
  const isForm = body instanceof URLSearchParams;
  const headers = { Accept: 'application/json', ...(body && !isForm && { 'Content-Type': 'application/json' }), ...(token && { Authorization: `Token ${token}` }) };
  let answer;
  try {
    answer = await fetch(new URL(path, api), { method, headers, body: isForm || !body ? body : JSON.stringify(body), cache: 'no-store', credentials: 'omit' });
  } catch {
    throw new Refused(0, { detail: 'The server cannot be reached. Try again in a moment.' });
  }
  const json = await answer.json().catch(() => ({}));
  if (answer.ok) return json;
  if (answer.status === 401 && token) {
    leave();
    throw new Refused(401, { detail: 'Your session has ended. Log in again.' });
  }
  if (answer.status === 429 && answer.headers.has('Retry-After')) {
    throw new Refused(429, { detail: `Too many tries. Try again in ${Math.ceil(answer.headers.get('Retry-After') / 60)} minutes.` });
  }
  throw new Refused(answer.status, json);
}

function say(text, wrong = false) {
  const said = part('said');
  said.textContent = text;
  said.classList.toggle('wrong', wrong);
  if (text) said.scrollIntoView({ block: 'nearest' });
}

// Shows what was refused: each complaint at its field, and what is about no field on top.
function complain(refused, form) {
  if (!(refused instanceof Refused)) throw refused;
  const others = [];
  for (const [name, texts] of Object.entries(refused.answer)) {
    const text = [texts].flat().join(' ');
    const input = form?.elements.namedItem(name);
    if (!input) {
      others.push(text);
      continue;
    }
    const complaint = Object.assign(document.createElement('span'), { className: 'complaint', id: `${form.id}-${name}`, textContent: text });
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', complaint.id);
    input.closest('label').append(complaint);
  }
  form?.querySelector('[aria-invalid]')?.focus();
  say(others.join(' ') || (form?.querySelector('.complaint') ? '' : 'That did not work. Try again later.'), true);
}

function forgetComplaints(form) {
  for (const complaint of form.querySelectorAll('.complaint')) complaint.remove();
  for (const input of form.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
}

// Does something once at a time, with its button disabled meanwhile.
async function once(button, form, action) {
  button.disabled = true;
  say('');
  if (form) forgetComplaints(form);
  try {
    await action();
  } catch (refused) {
    complain(refused, form);
  } finally {
    button.disabled = false;
  }
}

function onSubmit(id, action) {
  const form = part(id);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void once(form.querySelector('button'), form, async () => {
      await action(Object.fromEntries(new FormData(form)), form);
      form.reset();
    });
  });
}

function onClick(id, action) {
  part(id).addEventListener('click', (event) => void once(event.target, null, action));
}

function leave() {
  token = null;
  for (const form of document.forms) form.reset();
  for (const id of ['sessions', 'fields', 'who', 'email', 'pending']) part(id).replaceChildren();
  part('inside').hidden = true;
  part('outside').hidden = false;
}

async function enter(account) {
  ({ token } = await ask('POST', 'api/login/', account));
  await refresh();
  part('outside').hidden = true;
  part('inside').hidden = false;
}

async function refresh() {
  const [me, sessions] = await Promise.all([ask('GET', 'api/users/me/'), ask('GET', 'api/sessions/')]);
  showAccount(me);
  showSessions(sessions);
}

// What is not the account's own is a field that the deployment has declared.
function showAccount({ id, username, email, verified, pending_email: pending, external_id: external, ...fields }) {
  part('who').textContent = username;
  part('email').textContent = email;
  part('verified').textContent = { true: '(confirmed)', false: '(not confirmed yet)' }[verified] ?? '';
  part('resend-own').hidden = verified !== false || email.includes('•'); // a masked address cannot be sent back
  part('pending').textContent = pending ?? '';
  for (const each of ['pending', 'pending-term']) part(each).hidden = !pending;
  part('profile').hidden = Object.keys(fields).length === 0;
  part('fields').replaceChildren(...Object.entries(fields).map(([name, value]) => field(name, value)));
}

function field(name, value) {
  const label = document.createElement('label');
  const words = name.replaceAll('_', ' ');
  const input = Object.assign(document.createElement('input'), { name });
  if (typeof value === 'boolean') {
    Object.assign(input, { type: 'checkbox', defaultChecked: value });
    label.append(input, words);
  } else {
    input.defaultValue = value ?? '';
    label.append(words, input);
  }
  return label;
}

// The fields that were changed, as a form: in one, an emptied date or number has no value, whereas in JSON it would have to be null.
function changes(form) {
  const changed = new URLSearchParams();
  for (const input of form.querySelectorAll('input')) {
    if (input.type === 'checkbox' ? input.checked !== input.defaultChecked : input.value !== input.defaultValue) {
      changed.set(input.name, input.type === 'checkbox' ? input.checked : input.value);
    }
  }
  return changed;
}

function showSessions(sessions) {
  part('end').hidden = sessions.length < 2;
  part('sessions').replaceChildren(...sessions.map((session) => {
    const item = document.createElement('li');
    const label = document.createElement('label');
    const since = new Date(session.created_at * 1000).toLocaleString();
    const from = [session.user_agent, session.ip].filter(Boolean).join(', ') || 'Unknown browser';
    const detail = Object.assign(document.createElement('small'), { textContent: `since ${since}` });
    if (session.is_current) {
      label.append(`${from} (this one)`, detail);
    } else {
      label.append(Object.assign(document.createElement('input'), { type: 'checkbox', value: session.id }), from, detail);
    }
    item.append(label);
    return item;
  }));
}

onSubmit('login', async (body) => {
  await enter(body);
});

onSubmit('register', async (body) => {
  await ask('POST', 'api/register/', body);
  try {
    await enter({ username: body.username, password: body.password });
    say('Welcome. If you got a mail, open its link to confirm your address.');
  } catch {
    // Where addresses have to be confirmed first, or a registration does not tell whether the address is free, nobody is let in yet.
    say('Open the link in the mail that you got, and log in.');
  }
});

onSubmit('forgot', async (body) => {
  await ask('POST', 'api/password_reset/', body);
  say('If there is an account with this address, it gets a mail with a link.');
});

onSubmit('resend', async (body) => {
  await ask('POST', 'api/users/resend_activation/', body);
  say('If an account with this address waits for it, it gets a mail with a link.');
});

onClick('resend-own', async () => {
  await ask('POST', 'api/users/resend_activation/', { email: part('email').textContent });
  say('The mail is on its way.');
});

onSubmit('profile', async (_, form) => {
  showAccount(await ask('PATCH', 'api/users/me/', changes(form)));
  say('Saved.');
});

onSubmit('end', async ({ current_password: password }) => {
  const chosen = [...part('sessions').querySelectorAll('input:checked')].map((input) => input.value);
  if (chosen.length === 0) {
    say('Choose the sessions that are to end.', true);
    return;
  }
  showSessions(await ask('DELETE', 'api/sessions/', { sessions: chosen, current_password: password }));
  say('They have ended.');
});

onSubmit('password', async (body) => {
  await ask('POST', 'api/change_password/', body);
  say('Your password is changed, and every other session has ended.');
  showSessions(await ask('GET', 'api/sessions/'));
});

onSubmit('address', async (body) => {
  showAccount(await ask('PATCH', 'api/users/me/', body));
  say('Open the link in the mail to the new address.');
});

onSubmit('username', async (body) => {
  await ask('POST', 'api/users/set_username/', body);
  await refresh();
  say('You have the new username.');
});

onSubmit('delete', async (body) => {
  await ask('DELETE', 'api/users/me/', body);
  leave();
  say('You are logged out everywhere. A mail says when your data is deleted.');
});

onClick('refresh', refresh);

onClick('logout', async () => {
  await ask('POST', 'api/logout/');
  leave();
  say('You are logged out.');
});

onClick('logout-all', async () => {
  await ask('POST', 'api/logout_all/');
  leave();
  say('You are logged out everywhere.');
});

onClick('export', async () => {
  const data = JSON.stringify(await ask('GET', 'api/users/me/export/'), null, 2);
  const url = URL.createObjectURL(new Blob([data], { type: 'application/json' }));
  Object.assign(document.createElement('a'), { href: url, download: 'account.json' }).click();
  URL.revokeObjectURL(url);
});

part('outside').hidden = false;
