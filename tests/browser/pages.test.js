// Every state of every page: what axe finds, what the server says beside it, what the browser lets it do.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { PHONE, WCAG, assertAccessible, assertFits, choose, confirmAddress, disavow, titled, visit } from './browser.js';
import { ACTIVATION, ASK, CONFIRM, DISAVOW, SECOND, mailWith, noticeLink, register, resetLink, words } from './stack.js';

// As long as PRODUCT_NAME may be, in one word.
const LONG_NAME = 'Staatsbürgerschaftsangelegenheitenportal';

// Walks through every state that a page has, and lets `look` at each.
async function everyState(t, language, look) {
  const say = words(language);
  const account = await register(language);
  const notice = await noticeLink(account);
  const link = await resetLink(account);
  const page = await visit(t, { language });
  const see = async (state, title) => {
    await titled(page, say(title));
    await look(page, state);
  };

  await page.goto(ASK);
  await see('ask', 'page.ask.title');
  await page.locator('form').evaluate((form) => { form.noValidate = true; });
  await page.locator('#email').fill('mara');
  await page.getByRole('button').click();
  await page.locator('#email-problems').waitFor();
  await see('ask, refused', 'page.ask.title');
  await page.locator('#email').fill(`nobody.${account.email}`);
  await page.getByRole('button').click();
  await see('asked', 'page.asked.title');

  await page.goto(link);
  await see('form', 'page.reset.title');
  for (const [level, password] of [['weak', 'mara'], ['fair', 'kitchen-12'], ['strong', SECOND]]) {
    await page.locator('#password').fill(password);
    await page.locator('#again').fill(level === 'strong' ? password : 'else');
    await see(`form, ${level}`, 'page.reset.title');
  }
  await choose(page, say, '12345');
  await page.locator('#password-problems').waitFor();
  await see('form, refused', 'page.reset.title');
  await page.locator('form').evaluate((form) => { form.noValidate = true; });
  await choose(page, say, SECOND, 'else');
  await page.locator('#again-problems').waitFor();
  await see('form, not the same', 'page.reset.title');
  await choose(page, say, 'nine brisk umbrellas');
  await see('done', 'page.done.title');
  await page.goto(link);
  await see('dead end', 'page.dead.title');

  await page.goto(notice.link);
  await see('this was not me', 'page.disavow.title');
  await page.locator('form').evaluate((form) => { form.noValidate = true; });
  await page.getByRole('button').click();
  await page.locator('#not-me-problems').waitFor();
  await see('this was not me, not ticked', 'page.disavow.title');
  await disavow(page, say);
  await see('secured', 'page.disavowed.title');
  await page.goto(notice.link);
  await see('dead end of a notice', 'page.dead.title');

  await page.goto((await mailWith('activation', account)).link);
  await see('confirm the address', 'page.verify.title');
  await page.locator('form').evaluate((form) => { form.noValidate = true; });
  await page.getByRole('button').click();
  await page.locator('#mine-problems').waitFor();
  await see('confirm the address, not ticked', 'page.verify.title');
  await confirmAddress(page, say);
  await see('confirmed', 'page.verified.title');
  await page.goto(`${ACTIVATION}?token=dwv_x`);
  await see('dead end of a verification', 'page.dead.title');
}

for (const language of ['en', 'ar']) {
  test(`nobody is kept out of any page, in ${language}`, (t) => everyState(t, language, (page, state) => assertAccessible(page, state)));
}

for (const language of ['de', 'ar']) {
  test(`every page fits a phone, whatever the product is called, in ${language}`, (t) =>
    everyState(t, language, async (page) => {
      const desk = page.viewportSize();
      await page.setViewportSize({ width: PHONE, height: 640 });
      await assertFits(page);
      const name = page.locator('.product bdi');
      const product = await name.innerText();
      await name.evaluate((element, text) => { element.textContent = text; }, LONG_NAME);
      await assertFits(page);
      await name.evaluate((element, text) => { element.textContent = text; }, product);
      await page.setViewportSize(desk);
    }));
}

for (const language of ['en', 'ar']) {
  test(`mails can be read by everybody and fit a phone, in ${language}`, async (t) => {
    const account = await register(language);
    const mails = [await noticeLink(account)];
    await resetLink(account);
    mails.push(await mailWith('confirm', account), await mailWith('activation', account));
    const page = await visit(t, { language, width: PHONE });
    for (const { html, subject } of mails) {
      await page.setContent(html.replaceAll('Doorward', LONG_NAME));
      await assertFits(page);
      await assertAccessible(page, subject, WCAG);
    }
  });
}

test('every page forbids what it does not need', async () => {
  const account = await register();
  const open = [ASK, await resetLink(account), (await noticeLink(await register())).link];
  const dead = [`${CONFIRM}?token=dwr_x`, `${DISAVOW}?token=dwn_x`];
  open.push((await mailWith('activation', account)).link);
  const all = [...open.map((url) => [url, 200]), ...dead.map((url) => [url, 404]), [`${ACTIVATION}?token=dwv_x`, 400]];
  for (const [address, status] of all) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(address, { method, headers: { Accept: 'text/html,application/xhtml+xml' } });
      assert.equal(answer.status, status, `${method} ${address}`);
      const header = (name) => answer.headers.get(name);
      const hash = "'sha256-[A-Za-z0-9+/]{43}='";
      const policy = `^default-src 'none'; style-src ${hash}; script-src ${hash}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$`;
      assert.match(header('content-security-policy'), new RegExp(policy));
      const rest = ['content-type', 'cache-control', 'referrer-policy', 'x-frame-options', 'x-content-type-options', 'strict-transport-security'];
      assert.deepEqual(rest.map(header), ['text/html; charset=utf-8', 'no-store', 'strict-origin', 'DENY', 'nosniff', 'max-age=63072000; includeSubDomains']);
      assert.equal((await answer.text()).includes('<form'), method === 'GET' && status === 200);
    }
  }
});

test('the browser keeps to the policy: no script from a stranger, no frame, no form to elsewhere', async (t) => {
  const page = await visit(t);
  page.forgive(/^logged: (policy violated: |.*Content Security Policy|.*X-Frame-Options)/s); // these are wanted
  const violated = async (directive) => {
    for (let tick = 0; tick < 600 && !page.seen.some((line) => line.startsWith(`logged: policy violated: ${directive}`)); tick += 1) await page.waitForTimeout(100);
    assert.ok(page.seen.some((line) => line.startsWith(`logged: policy violated: ${directive}`)), `${directive}: ${page.seen}`);
  };
  await page.goto(await resetLink(await register()));
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.stranger = true';
    document.body.append(script);
  });
  await violated('script-src');
  assert.equal(await page.evaluate(() => window.stranger), undefined);
  await page.evaluate(() => {
    const image = new Image();
    image.src = 'https://elsewhere.invalid/pixel.gif';
  });
  await violated('img-src');
  await page.evaluate(() => {
    const form = document.getElementById('reset');
    form.action = 'https://elsewhere.invalid/';
    HTMLFormElement.prototype.submit.call(form);
  });
  await violated('form-action');

  const stranger = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(`<iframe src="${ASK}"></iframe>`));
  await new Promise((listening) => stranger.listen(0, '127.0.0.1', listening));
  t.after(() => stranger.close().closeAllConnections());
  page.context().removeAllListeners('request'); // the stranger is elsewhere
  await page.goto(`http://127.0.0.1:${stranger.address().port}/`);
  await page.frames()[1].waitForURL(/^chrome-error:/, { waitUntil: 'commit' });
});
