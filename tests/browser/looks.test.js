// What is seen of a page besides its words: nothing moves while somebody types, one ring is around a field, the language can be changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PHONE, assertFits, choose, titled, visit } from './browser.js';
import { ASK, SECOND, register, resetLink, words } from './stack.js';

const places = (page) =>
  page.locator('#password, #again, #show, button, footer').evaluateAll((parts) => parts.map((part) => Math.round(part.getBoundingClientRect().top + window.scrollY)));

for (const language of ['en', 'ar', 'ja']) {
  test(`nothing moves while somebody types, in ${language}`, async (t) => {
    const page = await visit(t, { language, width: PHONE });
    await page.goto(await resetLink(await register(language)));
    const before = await places(page);
    for (const [password, again] of [['x', ''], ['kitchen-12', 'k'], [SECOND, 'else'], [SECOND, SECOND], [` ${SECOND} `, ''], ['', '']]) {
      await page.locator('#password').fill(password);
      await page.locator('#again').fill(again);
      assert.deepEqual(await places(page), before, `${password}, ${again}`);
      await assertFits(page);
    }
  });
}

test('a field in error has one ring, red, with and without the focus', async (t) => {
  const say = words('en');
  const page = await visit(t);
  await page.goto(await resetLink(await register()));
  await choose(page, say, '12345');
  await page.locator('#password-problems').waitFor();
  const ring = () => page.locator('#password').evaluate((field) => {
    const { outlineStyle, outlineColor, outlineOffset, outlineWidth, boxShadow, borderColor } = getComputedStyle(field);
    return { outline: outlineStyle === 'none' ? 'none' : outlineColor, inside: parseFloat(outlineOffset) <= 0 && parseFloat(outlineWidth) + parseFloat(outlineOffset) >= 0, shadow: boxShadow !== 'none', borderColor };
  });
  await page.locator('#password').press('Shift'); // as somebody who uses the keyboard
  const focused = await ring();
  assert.deepEqual(focused, { outline: focused.borderColor, inside: true, shadow: false, borderColor: focused.borderColor });
  await page.locator('#show').focus();
  const rest = await ring();
  assert.deepEqual({ outline: rest.outline, shadow: rest.shadow }, { outline: 'none', shadow: true });
  assert.equal(rest.borderColor, focused.borderColor);
});

test('the language of a page is changed on it, and its link goes on', async (t) => {
  const page = await visit(t, { width: PHONE });
  await page.goto(await resetLink(await register('de')));
  await titled(page, words('de')('page.reset.title'));
  await page.getByRole('link', { name: 'Français' }).click();
  const say = words('fr');
  await titled(page, say('page.reset.title'));
  await assertFits(page);
  await choose(page, say, SECOND);
  await titled(page, say('page.done.title'));
  await page.getByRole('link', { name: '日本語' }).click();
  await titled(page, words('ja')('page.done.title'));
  await page.goto(ASK);
  await page.getByRole('link', { name: 'العربية' }).click();
  assert.equal(await page.locator('html').getAttribute('dir'), 'rtl');
  await assertFits(page);
});
