// Debian's chromium, quiet: it calls nobody of itself.

import { chromium } from 'playwright-core';

const QUIET = ['disable-gpu', 'disable-quic', 'no-first-run', 'disable-background-networking', 'disable-component-update', 'disable-sync'];

export async function launch() {
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', ...QUIET.map((flag) => `--${flag}`)] });
}
