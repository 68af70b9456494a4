// examples/account-page, the demonstration that `make dev` links to: a whole life of an account, by clicking.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { PHONE, assertAccessible, assertFits, confirmAddress, press, titled, visit } from './browser.js';
import { FIRST, SECOND, isSignedIn, login, mailWith, newAccount, post, register, variable, words } from './stack.js';

const PAGE = variable('ACCOUNT_PAGE_URL');

// A card of the page, by its heading.
const card = (page, name) => page.locator('form, section').filter({ has: page.getByRole('heading', { name, exact: true }) }).last();

// Fills a card's fields and presses its button.
async function send(page, name, values, button) {
  const form = card(page, name);
  for (const [label, value] of Object.entries(values)) await form.getByLabel(label).fill(value);
  await form.getByRole('button', { name: button, exact: true }).click();
}

const said = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

async function logIn(page, account, password) {
  await page.goto(PAGE);
  await send(page, 'Log in', { 'Username or e-mail': account.username, Password: password }, 'Log in');
}

test('a whole life of an account by clicking', async (t) => {
  const say = words('en');
  const account = newAccount();
  const page = await visit(t);
  await page.goto(PAGE);
  await assertAccessible(page, 'logged out');
  const mine = { Username: account.username, 'E-mail': account.email, Password: account.password };
  await send(page, 'Register', { ...mine, Password: '12345678' }, 'Register');
  await card(page, 'Register').getByText('This password is too common.').waitFor();
  await assertAccessible(page, 'refused');
  await send(page, 'Register', mine, 'Register');
  await said(page, 'Welcome.');
  await page.getByRole('heading', { name: account.username, exact: true }).waitFor();
  await assertAccessible(page, 'logged in');

  // The address is confirmed by the link in the mail.
  await page.getByText('(not confirmed yet)').waitFor();
  const other = await page.context().newPage();
  await press(other, await mailWith('activation', account), say('mail.verify.button'));
  await confirmAddress(other, say);
  await titled(other, say('page.verified.title'));
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByText('(confirmed)').waitFor();

  // Another session is seen, and ended with the password alone.
  const { token } = await login(account, FIRST);
  await page.getByRole('button', { name: 'Refresh' }).click();
  const another = card(page, 'Where you are logged in').getByRole('checkbox');
  await another.check();
  await send(page, 'Where you are logged in', { 'Current password': SECOND }, 'End the chosen sessions');
  await card(page, 'Where you are logged in').getByText('Invalid password.').waitFor();
  assert.equal(await isSignedIn(token), true);
  await send(page, 'Where you are logged in', { 'Current password': FIRST }, 'End the chosen sessions');
  await said(page, 'They have ended.');
  assert.equal(await isSignedIn(token), false);
  assert.equal(await another.count(), 0);

  // The fields that this stack declares.
  await send(page, 'Profile', { 'first name': 'Mara', birthday: '1990-02-30' }, 'Save');
  await card(page, 'Profile').getByText('Date has wrong format.').waitFor();
  await send(page, 'Profile', { birthday: '1990-02-28' }, 'Save');
  await said(page, 'Saved.');
  await card(page, 'Profile').getByLabel('newsletter').check();
  await send(page, 'Profile', { birthday: '' }, 'Save');
  await said(page, 'Saved.');
  const profile = card(page, 'Profile');
  assert.deepEqual([await profile.getByLabel('first name').inputValue(), await profile.getByLabel('birthday').inputValue()], ['Mara', '']);
  assert.equal(await profile.getByLabel('newsletter').isChecked(), true);

  await send(page, 'Change your password', { 'Current password': FIRST, 'New password': SECOND }, 'Change password');
  await said(page, 'Your password is changed');
  assert.equal((await login(account, FIRST)).status, 401);

  const renamed = newAccount();
  await send(page, 'Change your username', { 'New username': renamed.username, 'Current password': SECOND }, 'Change username');
  await page.getByRole('heading', { name: renamed.username, exact: true }).waitFor();

  await send(page, 'Change your e-mail address', { 'New e-mail': renamed.email, 'Current password': SECOND }, 'Change address');
  await said(page, 'Open the link in the mail to the new address.');
  await page.getByText(renamed.email).waitFor();
  await press(other, await mailWith('activation', renamed), say('mail.verify.button'));
  await confirmAddress(other, say);
  await titled(other, say('page.verified.title'));
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.locator('#email').filter({ hasText: renamed.email }).waitFor();

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  const data = readFileSync(await (await download).path(), 'utf8');
  assert.ok([renamed.username, renamed.email, 'Mara'].every((held) => data.includes(held)), data);

  await send(page, 'Delete your account', { 'Current password': SECOND }, 'Delete account');
  await said(page, 'You are logged out everywhere.');
  await send(page, 'Log in', { 'Username or e-mail': renamed.username, Password: SECOND }, 'Log in');
  await said(page, 'Invalid credentials');
});

test('the page speaks of what was refused, and of a session that has ended', async (t) => {
  const account = await register();
  const page = await visit(t, { width: PHONE });
  await page.goto(PAGE);
  await assertFits(page);
  await logIn(page, account, SECOND);
  await said(page, 'Invalid credentials');
  await logIn(page, account, FIRST);
  await page.getByRole('heading', { name: account.username, exact: true }).waitFor();
  await assertFits(page);
  const { token } = await login(account, FIRST);
  await post('/api/change_password/', { old_password: FIRST, new_password: SECOND }, { Authorization: `Token ${token}` });
  await page.getByRole('button', { name: 'Refresh' }).click();
  await said(page, 'Your session has ended.');
  await page.getByRole('heading', { name: 'Log in', exact: true }).waitFor();
  assert.equal(await page.getByText(account.email).count(), 0, 'nothing of the account is left on the page');
});
