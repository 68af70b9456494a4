// docs/openapi.json as programs in JavaScript read it, and the linter that judges it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const read = (name) => JSON.parse(readFileSync(here(name), 'utf8'));

// Every pattern below a value, with the names that lead to it.
function patterns(value, path = []) {
  if (value === null || typeof value !== 'object') return [];
  const below = Object.entries(value).flatMap(([name, part]) => patterns(part, [...path, name]));
  return typeof value.pattern === 'string' ? [{ path, pattern: value.pattern }, ...below] : below;
}

test('every pattern is one that ECMA-262 accepts with the flag u, and reads as in other languages', () => {
  const found = patterns(read('../../docs/openapi.json')).map(({ path, pattern }) => {
    assert.equal(path[0], 'components', `a pattern is in a component, where it has a name: ${path.join('/')}`);
    return [path.slice(2).filter((name) => name !== 'properties' && name !== 'schema').join('/'), pattern];
  });
  const texts = read('patterns.json');
  assert.deepEqual(found.map(([name]) => name).sort(), Object.keys(texts).sort());
  for (const [name, pattern] of found) {
    const compiled = new RegExp(pattern, 'u');
    for (const text of texts[name].fits) assert.match(text, compiled, `${name}: ${JSON.stringify(text)}`);
    for (const text of texts[name].not) assert.doesNotMatch(text, compiled, `${name}: ${JSON.stringify(text)}`);
  }
});

test('the linter finds what a document must not have', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const faults = {
    'no-unused-components': (document) => { document.components.schemas.Unused = { type: 'string' }; },
    'one-style-of-operation-ids': (document) => { document.paths['/api/login/'].post.operationId = 'log_in'; },
    'no-invalid-media-type-examples': (document) => {
      document.paths['/api/login/'].post.requestBody.content['application/json'].example = { username: 'ann' };
    },
  };
  for (const [rule, make] of Object.entries(faults)) {
    const document = read('../../docs/openapi.json');
    make(document);
    const file = join(folder, `${rule}.json`);
    writeFileSync(file, JSON.stringify(document));
    const { status, stdout, stderr } = spawnSync(process.execPath, [here('lint.js'), file], { encoding: 'utf8' });
    assert.equal(status, 1, `${stdout}${stderr}`);
    assert.ok(`${stdout}${stderr}`.includes(rule), `${rule} is named in: ${stdout}${stderr}`);
  }
});
