// Libraries in a real browser, on a page of an origin that `AllowedOrigins` lists: with the headers, credentials and bodies that front-ends send, the
// browser asks first (CORS), and only shows an answer to the page that says so.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from '../browser/chromium.js';
import { API, FIRST, login, newAccount } from '../browser/stack.js';
import { live } from './account.js';

// The stack allows the first; `make clients` and `make test` say so.
const LISTED = 'http://app.doorward.test';
const STRANGER = 'http://stranger.doorward.test';

const SCRIPTS = {
  '/axios.js': 'axios/dist/axios.min.js',
  '/jquery.js': 'jquery/dist/jquery.min.js',
  '/superagent.js': 'superagent/dist/superagent.min.js',
};
const PAGE = `<!doctype html><title>A front-end</title>${Object.keys(SCRIPTS).map((script) => `<script src="${script}"></script>`).join('')}
  <script type="module">import ky from '/ky/index.js'; globalThis.ky = ky;</script>`;

// Runs in the page: what it needs is in its argument.
const CLIENTS = {
  'fetch, JSON': async ({ url, fields, authorization }) => {
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Accept-Language': 'de', ...authorization }, body: JSON.stringify(fields) });
    return { status: answer.status, body: await answer.json() };
  },
  'fetch, FormData with credentials, without a final slash': async ({ url, fields, authorization }) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    const answer = await fetch(url.replace(/\/$/, ''), { method: 'POST', credentials: 'include', headers: authorization, body: form });
    return { status: answer.status, body: await answer.json() };
  },
  'fetch, with the headers of monitoring tools': async ({ url, fields, authorization }) => {
    const headers = { 'sentry-trace': '0-0-1', baggage: 'a=b', traceparent: '00-0-0-01', tracestate: 'a=b', 'x-datadog-origin': 'rum', 'X-Requested-With': 'XMLHttpRequest', ...authorization };
    const answer = await fetch(url, { method: 'POST', mode: 'cors', headers, body: new URLSearchParams(fields) });
    return { status: answer.status, body: await answer.json() };
  },
  'axios, as tutorials on Django set it': async ({ url, fields, authorization }) => {
    document.cookie = 'csrftoken=anything';
    const { axios } = globalThis;
    const client = axios.create({ xsrfCookieName: 'csrftoken', xsrfHeaderName: 'X-CSRFTOKEN', withCredentials: true, withXSRFToken: true, validateStatus: () => true });
    const { status, data } = await client.post(url, fields, { headers: authorization });
    return { status, body: data };
  },
  'axios, postForm': async ({ url, fields, authorization }) => {
    const { status, data } = await globalThis.axios.postForm(url, fields, { headers: { 'X-Requested-With': 'XMLHttpRequest', ...authorization }, validateStatus: () => true });
    return { status, body: data };
  },
  'jQuery, a form': ({ url, fields, authorization }) => new Promise((done) => {
    globalThis.jQuery.ajax({ url, method: 'POST', data: fields, headers: authorization, complete: (answer) => done({ status: answer.status, body: answer.responseJSON }) });
  }),
  'jQuery, JSON with credentials': ({ url, fields, authorization }) => new Promise((done) => {
    globalThis.jQuery.ajax({
      url, type: 'POST', dataType: 'json', contentType: 'application/json; charset=utf-8', data: JSON.stringify(fields), xhrFields: { withCredentials: true },
      headers: { 'X-CSRFToken': 'anything', ...authorization }, complete: (answer) => done({ status: answer.status, body: answer.responseJSON }),
    });
  }),
  'superagent, with credentials': async ({ url, fields, authorization }) => {
    const { status, body } = await globalThis.superagent.post(url).withCredentials().set(authorization).send(fields).ok(() => true);
    return { status, body };
  },
  'ky, with credentials': async ({ url, fields, authorization }) => {
    const answer = await globalThis.ky.post(url, { json: fields, credentials: 'include', headers: authorization, throwHttpErrors: false, timeout: 60_000 });
    return { status: answer.status, body: await answer.json() };
  },
};

const server = createServer((request, answer) => {
  const path = new URL(request.url, LISTED).pathname;
  const file = SCRIPTS[path] ?? (/^\/ky\/[\w/-]+\.js$/.test(path) ? path.replace('/ky/', 'ky/distribution/') : undefined);
  answer.setHeader('Content-Type', file ? 'text/javascript' : 'text/html');
  if (file) createReadStream(fileURLToPath(new URL(`node_modules/${file}`, import.meta.url))).on('error', () => answer.destroy()).pipe(answer);
  else answer.end(PAGE);
});
let browser;

before(async () => {
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  browser = await launch(`--host-resolver-rules=MAP *.doorward.test 127.0.0.1:${server.address().port}`);
  const asked = await fetch(`${API}/api/login/`, { method: 'OPTIONS', headers: { Origin: LISTED } });
  assert.equal(asked.headers.get('access-control-allow-origin'), LISTED, `the stack needs PARAMS=AllowedOrigins=${LISTED}, as in \`make clients\``);
});

after(async () => {
  await browser?.close();
  server.close().closeAllConnections();
});

async function pageOf(t, origin) {
  const context = await browser.newContext();
  context.setDefaultTimeout(60_000);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => globalThis.ky && globalThis.axios && globalThis.jQuery && globalThis.superagent);
  return page;
}

describe('on a page of a listed origin', { concurrency: 3 }, () => {
  for (const [name, client] of Object.entries(CLIENTS)) {
    test(name, async (t) => {
      const page = await pageOf(t, LISTED);
      await live((path, fields, token) => page.evaluate(client, { url: API + path, fields, authorization: token ? { Authorization: `Token ${token}` } : {} }));
    });
  }

  test('axios sends the header that tutorials on Django ask for', async (t) => {
    const page = await pageOf(t, LISTED);
    const [request] = await Promise.all([
      page.waitForRequest((each) => each.method() === 'POST'),
      page.evaluate(CLIENTS['axios, as tutorials on Django set it'], { url: `${API}/api/login/`, fields: {}, authorization: {} }),
    ]);
    assert.equal((await request.allHeaders())['x-csrftoken'], 'anything');
  });

  test('an answer that the gateway makes itself can be read', async (t) => {
    const page = await pageOf(t, LISTED);
    // A form, for which the browser does not ask first: a route that there is not has nobody who answers that.
    const read = await page.evaluate(async (url) => {
      const answer = await fetch(url, { method: 'POST', credentials: 'include', body: new URLSearchParams({ username: 'ann' }) });
      return { status: answer.status, body: await answer.json() };
    }, `${API}/api/nope/`);
    assert.deepEqual(read, { status: 404, body: { detail: 'Not found.' } });
  });
});

test('a page of another origin neither reads an answer nor registers anybody', async (t) => {
  const page = await pageOf(t, STRANGER);
  const account = newAccount();
  for (const [name, client] of Object.entries(CLIENTS)) {
    const url = `${API}/api/register/`;
    const seen = await page.evaluate(client, { url, fields: { username: account.username, email: account.email, password: FIRST }, authorization: {} }).catch(() => 'blocked');
    assert.ok(seen === 'blocked' || !seen.status, `${name}: ${JSON.stringify(seen)}`);
  }
  // A form is sent without asking, and the page does not see what comes of it.
  await page.evaluate(({ url, fields }) => fetch(url, { method: 'POST', mode: 'no-cors', body: new URLSearchParams(fields) }), {
    url: `${API}/api/register/`, fields: { username: account.username, email: account.email, password: FIRST },
  });
  assert.equal((await login(account, FIRST)).status, 401);
});
