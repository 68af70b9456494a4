// The form for a new password: hints, messages, keyboard, password managers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choose, sends, titled, visit } from './browser.js';
import { ASK, FIRST, SECOND, login, mailWith, register, resetLink, words } from './stack.js';

const say = words('en');

// A page with the form open.
async function withForm(t, visitor = {}) {
  const account = await register(visitor.language);
  const page = await visit(t, visitor);
  await page.goto(await resetLink(account));
  return { account, page, password: page.locator('#password'), again: page.locator('#again') };
}

// What a page gives the focus has it when the page is first drawn, which may be later than its text is there.
async function focused(page) {
  for (let tick = 0; tick < 600 && await page.evaluate(() => document.activeElement === document.body); tick += 1) await page.waitForTimeout(100);
  return page.evaluate(() => {
    const { id, name, tagName } = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return { what: id || name || tagName.toLowerCase(), visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
  });
}

// Presses Tab from the start of the page until everything was focused once.
async function tabThrough(page, steps) {
  const order = [];
  for (let step = 0; step < steps; step += 1) {
    await page.keyboard.press('Tab');
    const { what, visible } = await focused(page);
    assert.ok(visible, `${what} shows that it has the focus`);
    order.push(what);
  }
  return order;
}

test('the keyboard alone is enough', async (t) => {
  const account = await register();
  const page = await visit(t);
  await page.goto(ASK);
  assert.deepEqual(await tabThrough(page, 2), ['email', 'button']);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.type('nobody');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.validity.typeMismatch), true, 'the browser says it first');
  await page.keyboard.press('Control+A');
  await page.keyboard.type(account.email);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: say('page.asked.title') }).waitFor();

  await page.goto((await mailWith('confirm', account)).link);
  assert.deepEqual(await tabThrough(page, 4), ['password', 'again', 'show', 'button']);
  for (let step = 0; step < 3; step += 1) await page.keyboard.press('Shift+Tab');
  await page.keyboard.type('12345678');
  await page.keyboard.press('Tab');
  await page.keyboard.type('12345678');
  await page.keyboard.press('Enter');

  // The focus is where the mending starts, and what is wrong there is said to whoever cannot see it.
  await page.getByText(say('complaint.common')).waitFor();
  assert.deepEqual(await focused(page), { what: 'password', visible: true });
  const described = await page.evaluate(() => document.activeElement.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).innerText));
  assert.match(described[0], new RegExp(`${say('complaint.common')}\\s+${say('complaint.numeric')}`));
  assert.match(await page.title(), new RegExp(`^${say('page.problem')}`));
  await page.keyboard.type(SECOND);
  await page.keyboard.press('Tab');
  await page.keyboard.type(SECOND);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  assert.equal(await page.locator('#show').isChecked(), true);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: say('page.done.title') }).waitFor();
  assert.equal((await login(account, SECOND)).status, 200);
});

test('hints are given while typing', async (t) => {
  const { page, password, again, account } = await withForm(t);
  const strength = page.locator('#strength');
  const match = page.locator('#match');
  assert.equal((await strength.innerText()).trim(), '', 'it has its room already');
  const judged = [
    ['mara', 'weak'], ['aaaaaaaaaaaaaaaa', 'weak'], [`${account.username}1`, 'weak'], ['kitchen-12', 'fair'], ['kitchen-table 12', 'good'], [SECOND, 'strong'],
  ];
  for (const [typed, level] of judged) {
    await password.fill(typed);
    assert.equal((await strength.innerText()).trim(), say(`page.strength.${level}`), typed);
  }
  await password.fill('');
  assert.deepEqual([(await strength.innerText()).trim(), await strength.getAttribute('data-level')], ['', '0']);

  await password.fill(SECOND);
  await again.fill(SECOND.slice(0, 5));
  assert.equal(await match.innerText(), '', 'whoever is still typing is left alone');
  await again.fill('seven loud');
  assert.equal(await match.innerText(), say('page.reset.no_match'));
  await page.getByRole('button').click();
  assert.equal(await again.evaluate((field) => field.validationMessage), say('page.reset.no_match'));
  await titled(page, say('page.reset.title')); // it was not sent
  await again.fill(SECOND);
  assert.equal(await match.innerText(), say('page.reset.match'));
  assert.equal(await match.getAttribute('data-same'), 'true');

  const types = () => page.locator('#password, #again').evaluateAll((fields) => fields.map((field) => field.type));
  assert.deepEqual(await types(), ['password', 'password']);
  await page.getByLabel(say('page.reset.show')).check();
  assert.deepEqual(await types(), ['text', 'text']);
  // A phone would correct what is shown, as it is no longer a password to it.
  const helps = ['autocorrect', 'autocapitalize', 'spellcheck'];
  const help = await page.locator('#password, #again').evaluateAll((fields, names) => fields.map((field) => names.map((name) => field.getAttribute(name))), helps);
  assert.deepEqual(help, [['off', 'none', 'false'], ['off', 'none', 'false']]);
  await page.getByLabel(say('page.reset.show')).uncheck();
  assert.deepEqual(await types(), ['password', 'password']);
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: say('page.done.title') }).waitFor();
});

test('a page says that a space at either end of a new password counts', async (t) => {
  const { page, account, password, again } = await withForm(t);
  const spaces = page.locator('#spaces');
  for (const typed of ['', SECOND, 'a b', ' ']) {
    await password.fill(typed);
    assert.equal(await spaces.isVisible(), typed === ' ', JSON.stringify(typed));
  }
  for (const typed of [` ${SECOND}`, `${SECOND}\u00a0`, `${SECOND}\u3000`, `${SECOND} `]) {
    await password.fill(typed);
    assert.equal(await spaces.innerText(), say('page.reset.spaces'), JSON.stringify(typed));
  }
  assert.ok((await password.getAttribute('aria-describedby')).split(' ').includes('spaces'), 'a screen reader says it at the field');
  await again.fill(`${SECOND} `);
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: say('page.done.title') }).waitFor();
  assert.deepEqual([(await login(account, `${SECOND} `)).status, (await login(account, SECOND)).status], [200, 401]);
});

test('without JavaScript no control is there that would do nothing', async (t) => {
  const { page } = await withForm(t, { script: false });
  assert.equal(await page.getByText(say('page.reset.spaces')).isVisible(), true, 'it is said beforehand');
  assert.equal(await page.locator('#show').isVisible(), false);
  assert.equal(await page.locator('#strength').isVisible(), false);
  assert.equal(await page.locator('#match').isVisible(), false);
});

test('what the validators say stands at its field, and the link still works', async (t) => {
  const { page, account } = await withForm(t, { script: false });
  const said = async (field) => (await page.locator(`#${field}-problems li`).allInnerTexts());
  const short = say('complaint.too_short', { length: say('characters.other', { count: 8 }) });
  const cases = [
    ['12345', '12345', { password: [short, say('complaint.common'), say('complaint.numeric')], again: [] }],
    [account.username, account.username, { password: [say('complaint.like_username')], again: [] }],
    ['x'.repeat(129), 'x'.repeat(129), { password: [say('complaint.too_long', { length: say('characters.other', { count: 128 }) })], again: [] }],
    [SECOND, FIRST, { password: [], again: [say('complaint.mismatch')] }],
    ['12345678', FIRST, { password: [say('complaint.common'), say('complaint.numeric')], again: [say('complaint.mismatch')] }],
  ];
  for (const [password, again, expected] of cases) {
    await sends(page, () => choose(page, say, password, again));
    assert.deepEqual({ password: await said('password'), again: await said('again') }, expected);
    for (const field of ['password', 'again']) {
      const wrong = expected[field].length > 0;
      assert.equal(await page.locator(`#${field}`).getAttribute('aria-invalid'), wrong ? 'true' : null);
      assert.equal(await page.locator(`#${field}`).inputValue(), '', 'a password never comes back');
    }
    assert.equal((await focused(page)).what, expected.password.length ? 'password' : 'again');
    assert.equal(await page.locator('.account').innerText(), `${say('page.reset.account')}: ${account.username}`);
  }
  assert.equal((await login(account, FIRST)).status, 200);
  await choose(page, say, SECOND);
  await titled(page, say('page.done.title'));
  assert.equal((await login(account, SECOND)).status, 200);
});

test('an address that is none is said so, as typed', async (t) => {
  const page = await visit(t, { script: false });
  await page.goto(ASK);
  await page.locator('form').evaluate((form) => { form.noValidate = true; });
  await page.locator('#email').fill("mara'<b>@");
  await sends(page, () => page.getByRole('button').click());
  assert.deepEqual(await page.locator('#email-problems li').allInnerTexts(), [say('complaint.email')]);
  assert.equal(await page.locator('#email').inputValue(), "mara'<b>@");
  assert.deepEqual(await focused(page), { what: 'email', visible: true });
});

test('a password manager finds what it needs, and a password may be pasted', async (t) => {
  const { page, account, password, again } = await withForm(t);
  const fields = await page.locator('form input:not([type=hidden]):not([type=checkbox])').evaluateAll((inputs) =>
    inputs.map(({ name, type, autocomplete, value, readOnly, tabIndex }) => ({ name, type, autocomplete, value, readOnly, tabIndex })));
  assert.deepEqual(fields, [
    { name: 'username', type: 'text', autocomplete: 'username', value: account.username, readOnly: true, tabIndex: -1 },
    { name: 'password', type: 'password', autocomplete: 'new-password', value: '', readOnly: false, tabIndex: 0 },
    { name: 'again', type: 'password', autocomplete: 'new-password', value: '', readOnly: false, tabIndex: 0 },
  ]);
  const { width, height } = await page.locator('[name=username]').boundingBox();
  assert.ok(width <= 1 && height <= 1, 'the name is there for the manager, not for the eye');

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.evaluate((text) => navigator.clipboard.writeText(text), SECOND);
  for (const field of [password, again]) {
    await field.focus();
    await page.keyboard.press('Control+V');
    assert.equal(await field.inputValue(), SECOND);
  }
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: say('page.done.title') }).waitFor();
  assert.equal((await login(account, SECOND)).status, 200);
});
