// The browser, quiet: it calls nobody of itself. CHROMIUM says where it is; the Makefile does.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const QUIET = ['disable-gpu', 'disable-quic', 'no-first-run', 'disable-background-networking', 'disable-component-update', 'disable-sync'];

export async function launch(...more) {
  const executablePath = process.env.CHROMIUM;
  if (!executablePath) throw new Error('CHROMIUM does not say where a browser is; `make browser` and `make preview` do');
  const env = {
    ...process.env,
    // The fonts come from npm as well, so that every machine draws the same.
    FONTCONFIG_FILE: fileURLToPath(new URL('fonts.conf', import.meta.url)),
    // One that was unpacked by unpack.py has its libraries beside it.
    LD_LIBRARY_PATH: [join(dirname(executablePath), 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
  };
  return chromium.launch({ executablePath, env, args: ['--headless', '--no-sandbox', ...QUIET.map((flag) => `--${flag}`), ...more] });
}
