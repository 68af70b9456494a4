// The life of an account (life.json), whatever client sends its requests.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { FIRST, SECOND, mailWith, newAccount } from '../browser/stack.js';

const THIRD = 'nine brisk umbrellas';
const LIFE = JSON.parse(readFileSync(new URL('life.json', import.meta.url), 'utf8'));

// Registers, logs in, changes and resets the password, and logs out. `send` posts fields to a path, with a session's token if it gets one, and returns
// the status and the body, read as the client reads it. An answer with 200 and no expected body has the token of a session.
export async function live(send) {
  const { username, email } = newAccount();
  const values = { username, email, first: FIRST, second: SECOND, third: THIRD };
  const filled = async (fields) => {
    if (Object.values(fields).includes('{mailed}')) values.mailed ??= /dwr_[\w-]{64}/.exec((await mailWith('confirm', { email })).link)[0];
    return JSON.parse(JSON.stringify(fields), (_, value) => (typeof value === 'string' ? value.replace(/^\{(\w+)\}$/, (_, name) => values[name]) : value));
  };
  let token;
  for (const { path, fields, session, status, body } of LIFE) {
    const answer = await send(path, await filled(fields), session ? token : undefined);
    assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
    if (body) assert.deepEqual(answer.body, await filled(body), path);
    else token = answer.body.token;
  }
}
