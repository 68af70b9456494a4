// Takes pictures of the pages and mails that `make preview` wrote: 320 and 1280 pixels wide, light and dark. With arguments, only of names that contain
// one of them.

import { readdirSync } from 'node:fs';

import { launch } from './chromium.js';

const place = new URL('../../target/preview/', import.meta.url);
const wanted = process.argv.slice(2);
const all = readdirSync(place).filter((file) => file.endsWith('.html') && file !== 'index.html').map((file) => file.slice(0, -'.html'.length));
const names = all.filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));

const browser = await launch();
const page = await browser.newPage();
let taken = 0;
for (const [number, name] of names.entries()) {
  if (number % 10 === 0) console.log(`Drawing ${name}, ${number + 1} of ${names.length}`);
  await page.goto(new URL(`${name}.html`, place).href);
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 640 });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: new URL(`${name}-${width}-${colorScheme}.png`, place).pathname, fullPage: true });
      taken += 1;
    }
  }
}
await browser.close();
console.log(`${taken} pictures; open ${new URL('index.html', place)}`);
