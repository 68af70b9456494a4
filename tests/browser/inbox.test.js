// The local stack's page of sent mail.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { PHONE, assertAccessible, assertFits, visit } from './browser.js';
import { mailWith, post, register, resetLink, sendMail, variable, words } from './stack.js';

const INBOX = variable('INBOX_URL');
// The entry of an account's reset mail. There may be one of the mail with which the address is confirmed beside it.
const SUBJECT = words('en')('mail.reset.subject', { product: 'Doorward' });
const mailTo = (page, account) => page.locator('#list button', { hasText: account.email });
const entry = (page, account) => mailTo(page, account).filter({ hasText: SUBJECT });

test('a mail appears by itself, and its link opens the form', async (t) => {
  const say = words('en');
  const account = await register();
  const page = await visit(t);
  await page.goto(INBOX);
  assert.equal(await entry(page, account).count(), 0);
  assert.equal((await post('/api/password_reset/', { email: account.email })).status, 200);
  await entry(page, account).click();
  assert.equal(await page.locator('#to').innerText(), account.email);
  assert.equal(await page.locator('#subject').innerText(), SUBJECT);

  const opened = page.context().waitForEvent('page');
  await page.frameLocator('#html').getByRole('link', { name: say('mail.reset.button') }).click();
  const form = await opened;
  await form.getByRole('heading', { name: say('page.reset.title') }).waitFor();
  assert.equal(form.url(), (await mailWith('confirm', account)).link);

  await page.getByLabel('Text').check();
  assert.match(await page.locator('#text').innerText(), /\/api\/password_reset\/confirm\/\?token=dwr_/);
  await assertAccessible(page, 'inbox');
  await page.setViewportSize({ width: PHONE, height: 640 });
  await assertFits(page);
});

test('a mail is unread until it was shown, its time is relative, it is found by searching, and its link can be copied', async (t) => {
  const [account, other] = [await register(), await register()];
  const link = await resetLink(account);
  await resetLink(other);
  const page = await visit(t, { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(INBOX);
  const button = entry(page, account);
  await button.waitFor();
  assert.equal(await button.getAttribute('data-unread'), 'true');
  assert.match(await button.locator('time').innerText(), /^(now|\d+ (second|minute)s? ago)$/);
  await button.click();
  assert.equal(await button.getAttribute('aria-current'), 'true');
  assert.equal(await button.getAttribute('data-unread'), 'false');
  await page.reload();
  await button.waitFor();
  assert.equal(await button.getAttribute('data-unread'), 'false', 'the browser remembers it');

  await page.getByRole('searchbox').fill(`RESET ${account.username}`);
  await page.locator('#state', { hasText: /^1 of \d+ mails/ }).waitFor();
  assert.equal(await page.locator('#list button').count(), 1);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.locator('#copied', { hasText: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  await page.getByRole('searchbox').fill('nothing is like this');
  await page.locator('#mail').waitFor({ state: 'hidden' });
});

test('a mail that arrives while another one is pressed does not take the click away', async (t) => {
  const [account, other] = [await register(), await register()];
  await resetLink(account);
  await resetLink(other);
  const page = await visit(t);
  await page.goto(INBOX);
  const button = entry(page, account);
  // Sends a mail, and returns when the page was told of it.
  const tell = async (to) => {
    const told = page.waitForResponse(async (answer) => answer.url().includes('/ses/') && (await answer.text()).includes(to));
    await sendMail(to, 'news', 'news');
    await told;
  };
  // Mails of other tests arrive as well, and may have moved the entry after the pointer came.
  for (let pressed = false; !pressed;) {
    await page.mouse.up();
    await button.hover();
    await page.mouse.down();
    pressed = await button.evaluate((element) => element.matches(':active'));
  }
  await tell(`pressed.${other.email}`);
  await page.waitForTimeout(500);
  await page.mouse.up();
  assert.equal(await button.getAttribute('aria-current'), 'true');
  await mailTo(page, { email: `pressed.${other.email}` }).waitFor();

  await entry(page, other).focus();
  await page.keyboard.down('Space');
  await tell(`typed.${other.email}`);
  await mailTo(page, { email: `typed.${other.email}` }).waitFor();
  await page.keyboard.up('Space');
  assert.equal(await entry(page, other).getAttribute('aria-current'), 'true');
});

test('the page says when the stack does not answer, and goes on when it does', async (t) => {
  await resetLink(await register());
  const page = await visit(t);
  page.forgive(/Failed to load resource/);
  await page.goto(INBOX);
  const state = page.locator('#state');
  await state.filter({ hasText: /mail/ }).waitFor();
  await page.route('**/ses/**', (route) => route.abort());
  await state.filter({ hasText: 'does not answer' }).waitFor();
  await page.unroute('**/ses/**');
  await state.filter({ hasText: /^\d+ mail/ }).waitFor();
});

test('on a phone the list and the mail take turns', async (t) => {
  const account = await register();
  await resetLink(account);
  const page = await visit(t, { width: PHONE });
  await page.goto(INBOX);
  const button = entry(page, account);
  await button.waitFor();
  await assertFits(page);
  await assertAccessible(page, 'the list');
  assert.equal(await page.locator('#mail').isVisible(), false);
  await button.click();
  await page.locator('#subject').waitFor();
  assert.equal(await button.isVisible(), false);
  await assertFits(page);
  await page.getByRole('button', { name: 'Back to the list' }).click();
  await button.waitFor();
  assert.equal(await button.evaluate((element) => element === document.activeElement), true, 'where the reader was');
});

test('the newest mail stands first and is the one that is shown', async (t) => {
  const [older, newer] = [await register(), await register()];
  await resetLink(older);
  await resetLink(newer);
  const page = await visit(t);
  await page.goto(INBOX);
  await entry(page, older).waitFor();
  const order = await page.locator('#list button').allInnerTexts();
  const place = (account) => order.findIndex((text) => text.includes(account.email) && text.includes(SUBJECT));
  assert.ok(place(newer) < place(older), order.join('\n'));
  assert.equal(await page.locator('#list button').first().getAttribute('aria-current'), 'true');
});

test('an event appears beside the mails', async (t) => {
  const page = await visit(t);
  await page.goto(INBOX);
  const start = Date.now();
  await register();
  // An id begins with its time in milliseconds (RFC 9562, 5.7).
  const ids = () => page.locator('#events li').evaluateAll((items) => items.map((item) => item.dataset.event));
  const since = (id) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16) >= start;
  for (let tick = 0; tick < 600 && !(await ids()).some(since); tick += 1) await page.waitForTimeout(100);
  const own = (await ids()).find(since);
  assert.ok(own, 'no event of this test');
  assert.match(await page.locator(`#events li[data-event="${own}"]`).innerText(), /^[a-z]+\.[a-z_]+\n/);
  // axe cannot look into the frame of a mail that is shown as HTML.
  if (await page.locator('#mail').isVisible()) await page.getByLabel('Text').check();
  await assertAccessible(page, 'inbox with events');
  await page.setViewportSize({ width: PHONE, height: 640 });
  await assertFits(page);
});

test('whatever a mail holds, the inbox runs and loads nothing of it', async (t) => {
  let calls = 0;
  const stranger = createServer((_, answer) => answer.end()).on('connection', () => { calls += 1; });
  await new Promise((listening) => stranger.listen(0, '127.0.0.1', listening));
  t.after(() => stranger.close().closeAllConnections());
  const elsewhere = `http://127.0.0.1:${stranger.address().port}/p.gif`;
  const markup = `<img src="${elsewhere}" onerror="parent.stranger = 1"><script>parent.stranger = 1</script><b>bold</b>`;
  const account = { email: `stranger.${Date.now()}@example.com` };
  await sendMail(account.email, markup, `<html><head></head><body>${markup}</body></html>`);
  const page = await visit(t);
  // Chromium says what it refused.
  page.forgive(/^logged: .*(violates the following Content Security Policy|policy violated|sandboxed|Blocked script)/is);
  await page.goto(INBOX);
  await mailTo(page, account).click();
  assert.equal(await page.locator('#subject').innerText(), markup);
  assert.equal(await mailTo(page, account).locator('b, img').count(), 0);
  await page.frameLocator('#html').locator('b').waitFor();
  // Its image is there, or has failed.
  const image = page.frameLocator('#html').locator('img');
  for (let tick = 0; tick < 600 && !(await image.evaluate(({ complete }) => complete)); tick += 1) await page.waitForTimeout(100);
  assert.deepEqual(await image.evaluate(({ complete, naturalWidth }) => ({ complete, naturalWidth })), { complete: true, naturalWidth: 0 });
  assert.equal(await page.evaluate(() => window.stranger), undefined);
  assert.equal(calls, 0, 'somebody was called');
  // A listener that notices every connection.
  await fetch(elsewhere);
  assert.equal(calls, 1);
});
