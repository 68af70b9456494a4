// Somebody forgot a password: from the page that asks to the login with a new one, by clicking.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PHONE, assertFits, choose, confirmAddress, disavow, press, titled, visit } from './browser.js';
import { ACTIVATION, ASK, CONFIRM, FIRST, SECOND, isSignedIn, login, mailWith, noticeLink, register, resetLink, words } from './stack.js';

const VISITORS = {
  'by clicking': {},
  'without JavaScript': { script: false },
  'on a phone': { width: PHONE, hasTouch: true, isMobile: true },
  'on a phone, from right to left, in the dark': { width: PHONE, hasTouch: true, isMobile: true, language: 'ar', scheme: 'dark' },
};

for (const [how, visitor] of Object.entries(VISITORS)) {
  test(`whoever forgot a password gets back in ${how}`, async (t) => {
    const say = words(visitor.language ?? 'en');
    const account = await register(visitor.language);
    const { token } = await login(account, FIRST);
    const page = await visit(t, visitor);

    await page.goto(ASK);
    await assertFits(page);
    await page.getByLabel(say('page.ask.email')).fill(account.email);
    await page.getByRole('button', { name: say('page.ask.submit') }).click();
    await titled(page, say('page.asked.title'));
    await assertFits(page);
    await page.reload();
    await titled(page, say('page.asked.title')); // loading it again is no error

    const mail = await mailWith('confirm', account);
    assert.equal(mail.subject, say('mail.reset.subject', { product: 'Doorward' }).replace(/[\u2068\u2069]/g, ''));
    await press(page, mail, say('mail.reset.button'));
    await titled(page, say('page.reset.title'));
    await assertFits(page);

    await choose(page, say, '12345');
    await page.getByText(say('complaint.numeric')).waitFor();
    await assertFits(page);
    assert.equal((await login(account, FIRST)).status, 200, 'a refusal changes nothing');

    await choose(page, say, SECOND);
    await titled(page, say('page.done.title'));
    await assertFits(page);
    assert.ok(!page.url().includes('dwr_'), 'the token is no longer in the address');
    await page.reload();
    await titled(page, say('page.done.title')); // loading it again is no error
    assert.deepEqual(await page.evaluate(() => [document.referrer.includes('dwr_'), history.length > 1]), [false, true]);

    assert.equal((await login(account, SECOND)).status, 200);
    assert.equal((await login(account, FIRST)).status, 401);
    assert.equal(await isSignedIn(token), false);
  });
}

for (const [how, visitor] of Object.entries(VISITORS)) {
  test(`whoever registered confirms the address ${how}`, async (t) => {
    const say = words(visitor.language ?? 'en');
    const account = await register(visitor.language);
    const mail = await mailWith('activation', account);
    assert.equal(mail.subject, say('mail.verify.subject', { product: 'Doorward' }).replace(/[\u2068\u2069]/g, ''));
    const page = await visit(t, visitor);
    await press(page, mail, say('mail.verify.button'));
    await titled(page, say('page.verify.title'));
    await page.getByText(account.username).waitFor();
    await assertFits(page);
    const unticked = page.getByRole('button', { name: say('page.verify.submit') });
    await unticked.click();
    await titled(page, say('page.verify.title')); // the browser asks for the tick first
    await page.locator('form').evaluate((form) => { form.noValidate = true; });
    await unticked.click();
    await page.getByText(say('complaint.tick_mine')).waitFor();
    await page.getByText(account.username).waitFor();
    assert.equal(await page.getByLabel(say('page.verify.confirm')).isChecked(), false);
    await assertFits(page);
    await confirmAddress(page, say);
    await titled(page, say('page.verified.title'));
    assert.ok(!page.url().includes('dwv_'), 'the token is no longer in the address');
    await assertFits(page);
    await page.reload();
    await titled(page, say('page.verified.title')); // loading it again is no error
    await page.goto(mail.link);
    await titled(page, say('page.verified.title')); // nor is the link

    await page.goto(`${ACTIVATION}?token=dwv_${'x'.repeat(64)}`);
    await titled(page, say('page.dead.title'));
    await assertFits(page);
    await page.getByRole('link', { name: say('page.ask.again') }).click();
    await titled(page, say('page.verify.title'));
    await assertFits(page);
    await page.getByLabel(say('page.ask.email')).fill(account.email);
    await page.getByRole('button', { name: say('page.ask.submit') }).click();
    await titled(page, say('page.asked.title'));
    await assertFits(page);
  });
}

for (const script of [true, false]) {
  test(`"this wasn't me" takes the account back by clicking, ${script ? 'with' : 'without'} JavaScript`, async (t) => {
    const say = words('en');
    const account = await register();
    const notice = await noticeLink(account);
    const page = await visit(t, { script, width: PHONE });
    assert.equal((await login(account, SECOND)).status, 200);
    assert.equal(await isSignedIn(notice.token), true);

    await press(page, notice, say('mail.changed.button'));
    await titled(page, say('page.disavow.title'));
    await assertFits(page);
    assert.equal(await isSignedIn(notice.token), true, 'opening it does nothing');
    const unticked = page.getByRole('button', { name: say('page.disavow.submit') });
    await unticked.click();
    await titled(page, say('page.disavow.title')); // the browser asks for the tick first
    await page.locator('form').evaluate((form) => { form.noValidate = true; });
    await unticked.click();
    await page.getByText(say('complaint.tick')).waitFor();
    assert.equal(await page.getByLabel(say('page.disavow.confirm')).isChecked(), false);
    await assertFits(page);
    assert.equal(await isSignedIn(notice.token), true, 'the button alone does nothing');
    await disavow(page, say);
    await titled(page, say('page.disavowed.title'));
    await assertFits(page);
    await page.reload();
    await titled(page, say('page.disavowed.title')); // loading it again is no error
    assert.equal(await isSignedIn(notice.token), false);
    assert.equal((await login(account, SECOND)).status, 401);

    await press(page, await mailWith('confirm', account), say('mail.reset.button'));
    await choose(page, say, 'nine brisk umbrellas');
    await titled(page, say('page.done.title'));
    assert.equal((await login(account, 'nine brisk umbrellas')).status, 200);

    await page.goto(notice.link);
    await titled(page, say('page.dead.title'));
  });
}

test('a link that scanners opened twenty times still works for its reader, and so does a notice', async (t) => {
  const say = words('en');
  const account = await register();
  const notice = await noticeLink(account);
  const link = await resetLink(account);
  for (let time = 0; time < 20; time += 1) {
    const scanner = await visit(t, { script: time % 2 === 0, userAgent: 'Mail scanner' });
    await scanner.goto(link);
    await titled(scanner, say('page.reset.title'));
    await scanner.context().close();
    for (const [address, method] of [[link, 'HEAD'], [notice.link, 'GET'], [notice.link, 'HEAD']]) {
      assert.equal((await fetch(address, { method, redirect: 'error' })).status, 200);
    }
  }
  const page = await visit(t);
  await page.goto(link);
  await choose(page, say, 'nine brisk umbrellas');
  await titled(page, say('page.done.title'));
  assert.equal((await login(account, 'nine brisk umbrellas')).status, 200);
  await page.goto(notice.link);
  await disavow(page, say);
  await titled(page, say('page.disavowed.title'));
});

test('a used link and one that never was end alike, with the way to another', async (t) => {
  const say = words('en');
  const account = await register();
  const link = await resetLink(account);
  const page = await visit(t);
  const late = await page.context().newPage();
  await late.goto(link);
  await page.goto(link);
  await choose(page, say, SECOND);
  await titled(page, say('page.done.title'));

  const shown = [];
  const look = async (where) => shown.push(await where.locator('body').innerText());
  await page.goto(link);
  await look(page);
  for (const address of [`${CONFIRM}?token=dwr_${'x'.repeat(64)}`, `${CONFIRM}?token=`, CONFIRM, CONFIRM.slice(0, -1)]) {
    assert.equal((await page.goto(address)).status(), 404);
    await look(page);
    assert.equal(await page.getByRole('link', { name: say('page.ask.again') }).evaluate((again) => again.href.replace(/\?.*/, '')), ASK);
  }
  // The same for whoever had the form open already.
  await choose(late, say, 'nine brisk umbrellas');
  await late.getByRole('link', { name: say('page.ask.again') }).waitFor();
  await look(late);
  assert.deepEqual(new Set(shown).size, 1, shown.join('\n---\n'));
  assert.equal((await login(account, SECOND)).status, 200);

  await late.getByRole('link', { name: say('page.ask.again') }).click();
  await titled(late, say('page.ask.title'));
});

test("a dead end speaks the account's language, not the browser's", async (t) => {
  const say = words('es');
  const account = await register('es');
  const link = await resetLink(account);
  const page = await visit(t, { language: 'de' });
  await page.goto(link);
  await titled(page, say('page.reset.title'));
  const other = await page.context().newPage();
  await other.goto(link);
  await choose(page, say, SECOND);
  await titled(page, say('page.done.title'));
  await choose(other, say, SECOND);
  await other.getByRole('link', { name: say('page.ask.again') }).click();
  await titled(other, say('page.ask.title'));
});

test('a robot that sends every form behind a link locks nobody out', async (t) => {
  const account = await register();
  const notice = await noticeLink(account);
  const robot = await visit(t, { userAgent: 'Mail scanner' });
  // By submit() the browser checks nothing, and by requestSubmit() it refuses.
  for (const way of ['submit', 'requestSubmit']) {
    await robot.goto(notice.link);
    await robot.evaluate((name) => { for (const form of document.forms) HTMLFormElement.prototype[name].call(form); }, way);
    // The form leads to another address. A page that is opened before that has happened is interrupted.
    if (way === 'submit') await robot.waitForURL(/\?language=\w+$/);
  }
  // And by copying every input there is.
  const page = await (await fetch(notice.link, { headers: { Accept: 'text/html' } })).text();
  const inputs = [...page.matchAll(/<input[^>]*>/g)].map(([tag]) => [/ name="([^"]*)"/.exec(tag)?.[1] ?? '', / value="([^"]*)"/.exec(tag)?.[1] ?? '']);
  for (const body of [new URLSearchParams(inputs), inputs.reduce((form, [name, value]) => (form.append(name, value), form), new FormData())]) {
    const sent = await fetch(notice.link, { method: 'POST', body, headers: { Accept: 'text/html' }, redirect: 'manual' });
    assert.equal(sent.status, 400);
  }
  assert.equal(await isSignedIn(notice.token), true);
  assert.equal((await login(account, SECOND)).status, 200);
  const say = words('en');
  await robot.goto(notice.link);
  await disavow(robot, say);
  await titled(robot, say('page.disavowed.title'));
  assert.equal(await isSignedIn(notice.token), false);
});

test('a browser says whose form it sends, and never where from', async (t) => {
  const say = words('en');
  const account = await register();
  const page = await visit(t);
  const sent = [];
  page.on('request', (request) => { if (request.isNavigationRequest()) sent.push(request.allHeaders()); });
  await page.goto(await resetLink(account));
  await choose(page, say, SECOND);
  await titled(page, say('page.done.title'));
  const headers = await Promise.all(sent);
  const { origin } = new URL(ASK);
  assert.ok(headers.some((each) => each.origin === origin), JSON.stringify(headers.map((each) => each.origin)));
  assert.ok(headers.every((each) => !JSON.stringify(each.referer ?? '').includes('dwr_')));
});
