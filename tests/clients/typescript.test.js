// A client in TypeScript, made of docs/openapi.json and checked by the compiler, is used against the deployed stack.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';

import { API, mailWith, newAccount } from '../browser/stack.js';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// Makes the types, and compiles life.ts with them into generated/.
async function compile() {
  rmSync(here('generated'), { recursive: true, force: true });
  mkdirSync(here('generated'));
  // No .d.ts, whose contents the compiler is told to believe.
  writeFileSync(here('generated/schema.ts'), astToString(await openapiTS(new URL('../../docs/openapi.json', import.meta.url))));
  const { options, fileNames, errors } = ts.getParsedCommandLineOfConfigFile(here('tsconfig.json'), {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: assert.fail });
  const program = ts.createProgram(fileNames, options);
  const found = [...errors, ...ts.getPreEmitDiagnostics(program)];
  assert.equal(ts.formatDiagnostics(found, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => here('.'), getNewLine: () => '\n' }), '');
  assert.equal(program.emit().emitSkipped, false);
}

test('a client that openapi-typescript makes registers, logs in, changes, resets and logs out', async () => {
  await compile();
  const { life } = await import('./generated/compiled/life.js');
  const { username, email } = newAccount();
  const lived = await life(API, username, email, async () => /dwr_[\w-]{64}/.exec((await mailWith('confirm', { email })).link)[0]);
  const { session, again, ...said } = lived;
  assert.deepEqual(said, {
    registered: { username, email },
    taken: ['A user with that username already exists.'],
    refused: 'Invalid credentials',
    changed: 'Password changed successfully.',
    asked: 'OK',
    valid: 'OK',
    weak: ['This password is too common.'],
    reset: 'OK',
    dead: 'The OTP password entered is not valid. Please check and try again.',
    ended: 'Invalid token.',
    loggedOut: 'Successfully logged out.',
  });
  for (const { token, expires_at: end } of [session, again]) {
    assert.match(token, /^dws_[\w-]{64}$/);
    assert.ok(Date.parse(end) > Date.now());
  }
});
