// The stack under test: its API, its mail and its texts. `make browser` passes the variables of stack.env.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 60_000;

export function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make browser\` sets it, and so does .local/stack.env`);
  return value;
}

export const API = variable('API_URL');
export const ASK = `${API}/api/password_reset/`;
export const CONFIRM = `${API}/api/password_reset/confirm/`;
export const DISAVOW = `${API}/api/password_reset/disavow/`;
export const ACTIVATION = `${API}/api/users/activation/`;

export const FIRST = 'Correct-Horse-42';
export const SECOND = 'seven quiet lighthouses';

// The messages of a language by name, with values filled in as pages do it (within UAX 9 isolates if it is written right to left).
export function words(language) {
  const messages = JSON.parse(readFileSync(new URL(`../../templates/language/${language}.json`, import.meta.url), 'utf8'));
  return (id, values = {}) => {
    assert.ok(messages[id], `${language} has no ${id}`);
    return messages[id].replace(/\{(\w+)\}/g, (_, name) => (language === 'ar' ? `\u2068${values[name]}\u2069` : values[name]));
  };
}

export async function post(path, body, headers = {}) {
  const answer = await fetch(`${API}${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

// The names and the password of an account that nobody has registered yet. They have no digits, which a password of digits would resemble.
export function newAccount() {
  const username = `mara.${randomUUID().slice(0, 13).replace(/\d/g, (digit) => 'ghijklmnop'[digit])}`;
  return { username, email: `${username}@example.com`, password: FIRST };
}

// Registers an account whose owner speaks this language.
export async function register(language = 'en') {
  const account = { ...newAccount(), language };
  const { username, email, password } = account;
  const answer = await post('/api/register/', { username, email, password }, { 'Accept-Language': language });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return account;
}

export async function login(account, password) {
  const answer = await post('/api/login/', { username: account.username, password });
  return { status: answer.status, token: answer.body.token };
}

// Whether a session is valid. It is tried with a wrong password, which ends nothing.
export async function isSignedIn(token) {
  const wrong = { old_password: 'not this one', new_password: SECOND };
  const answer = await post('/api/change_password/', wrong, { Authorization: `Token ${token}` });
  assert.ok([400, 401].includes(answer.status), JSON.stringify(answer));
  return answer.status === 400;
}

async function mailsTo(account) {
  const { messages } = await (await fetch(variable('MAIL_URL'))).json();
  const sent = Object.values(messages).flat().filter((message) => message.To.includes(account.email));
  return sent.sort((one, other) => one.Timestamp - other.Timestamp);
}

// Waits for the account's only mail with a link of this kind (`confirm`, `disavow` or `activation`).
export async function mailWith(kind, account) {
  const address = new RegExp(`\\S+/api/(?:password_reset|users)/${kind}/\\?\\S+`);
  for (const began = Date.now(); Date.now() - began < PATIENCE_MS; await sleep(100)) {
    const mails = (await mailsTo(account)).filter((mail) => address.test(mail.BodyText));
    assert.ok(mails.length <= 1, 'one mail was expected');
    if (mails.length === 1) return { html: mails[0].BodyHtml, subject: mails[0].Subject, link: address.exec(mails[0].BodyText)[0] };
  }
  throw new Error(`no mail with a ${kind} link in ${PATIENCE_MS} ms`);
}

// A reset link, requested as a program does it.
export async function resetLink(account) {
  assert.equal((await post('/api/password_reset/', { email: account.email })).status, 200);
  return (await mailWith('confirm', account)).link;
}

// The link of the notice that follows a change of the password.
export async function noticeLink(account) {
  const { token } = await login(account, FIRST);
  const change = { old_password: FIRST, new_password: SECOND };
  assert.equal((await post('/api/change_password/', change, { Authorization: `Token ${token}` })).status, 200);
  return { token, ...(await mailWith('disavow', account)) };
}

// Sends a mail without Doorward; its subject and text are the same.
export async function sendMail(to, text, html) {
  const content = { Simple: { Subject: { Data: text }, Body: { Text: { Data: text }, Html: { Data: html } } } };
  const mail = { FromEmailAddress: 'accounts@doorward.internal', Destination: { ToAddresses: [to] }, Content: content };
  const headers = { 'Content-Type': 'application/json', Authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ses/aws4_request' };
  const answer = await fetch(`${variable('AWS_ENDPOINT_URL')}/v2/email/outbound-emails`, { method: 'POST', headers, body: JSON.stringify(mail) });
  assert.equal(answer.status, 200, await answer.text());
}
