// A real browser. A test fails if a page it visits loads something from elsewhere, throws, logs an error or violates its policy.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import axe from 'axe-core';

import { launch } from './chromium.js';
import { API } from './stack.js';

export const PHONE = 320;
const DESK = 1280;
// Only what never comes takes this long. A busy machine takes seconds for what an idle one does at once.
const PATIENCE_MS = 60_000;
// WCAG 2.2, levels A and AA, and the best practices that axe's authors recommend.
export const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const RULES = [...WCAG, 'best-practice'];

const browser = await launch();
after(() => browser.close());

// A visitor with a browser context of their own, watched until the end of the test.
export async function visit(t, { language = 'en', scheme = 'light', width = DESK, script = true, ...more } = {}) {
  const context = await browser.newContext({
    locale: language, colorScheme: scheme, viewport: { width, height: 720 }, javaScriptEnabled: script, ...more,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const seen = [];
  const forgiven = [];
  const { origin } = new URL(API);
  // Chromium may announce a request and then block it by the page's policy before it leaves: only the others count.
  const elsewhere = new Set();
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !/^(data|about):/.test(url)) elsewhere.add(request);
  });
  context.on('requestfailed', (request) => {
    if (/csp/i.test(request.failure()?.errorText)) elsewhere.delete(request);
  });
  context.on('console', (message) => {
    // Chromium logs the status of an error page, and hints for developers. Everything else comes from the page.
    const itsOwn = message.type() === 'debug' || message.text().startsWith('Failed to load resource: the server responded with a status of 4');
    if (!itsOwn) seen.push(`logged: ${message.text().slice(0, 300)}`);
  });
  context.on('weberror', (error) => seen.push(`threw: ${error.error().message}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`));
  });
  t.after(async () => {
    for (let tick = 0; tick < 600 && elsewhere.size > 0; tick += 1) await sleep(100); // its end is told later than its beginning
    await context.close();
    const asked = [...elsewhere].map((request) => `asked elsewhere: ${request.url()}`);
    assert.deepEqual([...seen.filter((line) => !forgiven.some((pattern) => pattern.test(line))), ...asked], []);
  });
  // A line that a test provokes may come late, so it is forgiven for the whole test.
  return Object.assign(await context.newPage(), { seen, forgive: (pattern) => forgiven.push(pattern) });
}

// Opens a mail as it was sent, and clicks its button.
export async function press(page, mail, name) {
  await page.goto('about:blank'); // a mail knows nothing of the policy of the page before it
  await page.setContent(mail.html);
  await page.getByRole('link', { name, exact: true }).click();
}

// Types a password into both fields and sends the form.
export async function choose(page, say, password, again = password) {
  await page.getByLabel(say('page.reset.password'), { exact: true }).fill(password);
  await page.getByLabel(say('page.reset.again'), { exact: true }).fill(again);
  await page.getByRole('button', { name: say('page.reset.submit') }).click();
}

// Ticks that it was not me, and sends the form.
export async function disavow(page, say) {
  await page.getByLabel(say('page.disavow.confirm')).check();
  await page.getByRole('button', { name: say('page.disavow.submit') }).click();
}

// Ticks that account and address are mine, and sends the form.
export async function confirmAddress(page, say) {
  await page.getByLabel(say('page.verify.confirm')).check();
  await page.getByRole('button', { name: say('page.verify.submit') }).click();
}

// Does what sends a form, and waits for the page that answers it.
export async function sends(page, action) {
  const answered = page.waitForEvent('load');
  await action();
  await answered;
}

// Waits for the page with this title. A click returns when a form is on its way, and not when the page that answers it is there.
export async function titled(page, title) {
  await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
}

// Asserts that the page is no wider than its window, so that nobody has to scroll sideways (WCAG 2.2, 1.4.10).
export async function assertFits(page) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll('body *')].filter((part) => {
      const { left, right } = part.getBoundingClientRect();
      return right > width + 0.5 || left < -0.5;
    });
    return { scroll: document.documentElement.scrollWidth - width, out: out.map((part) => part.outerHTML.slice(0, 80)) };
  });
  assert.deepEqual(wide, { scroll: 0, out: [] }, `${page.url()} at ${page.viewportSize().width} px`);
}

// The violations that axe finds, in light and dark mode.
export async function assertAccessible(page, state, rules = RULES) {
  await page.evaluate(axe.source);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const { violations, passes } = await page.evaluate((only) => globalThis.axe.run({ runOnly: only }), rules);
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`);
    assert.deepEqual(found, [], `${state}, ${colorScheme}`);
    assert.ok(passes.some(({ id }) => id === 'color-contrast'), `${state}, ${colorScheme}: contrast was judged`);
  }
}
