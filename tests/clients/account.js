// The life of an account, whatever client sends its requests.

import assert from 'node:assert/strict';

import { FIRST, SECOND, mailWith, newAccount } from '../browser/stack.js';

const THIRD = 'nine brisk umbrellas';
const DEAD = { detail: 'The OTP password entered is not valid. Please check and try again.' };

// Registers, logs in, changes and resets the password, and logs out. `send` posts fields to a path, with a session's token if it gets one, and returns
// the status and the body, read as the client reads it.
export async function live(send) {
  const { username, email } = newAccount();
  const expect = async (status, body, ...request) => {
    const answer = await send(...request);
    assert.deepEqual([answer.status, answer.body], [status, body], request[0]);
  };
  const logIn = async (name, password) => {
    const { status, body } = await send('/api/login/', { username: name, password });
    assert.equal(status, 200, JSON.stringify(body));
    return body.token;
  };

  await expect(400, { email: ['This field is required.'] }, '/api/register/', { username, password: FIRST });
  await expect(201, { username, email }, '/api/register/', { username, email, password: FIRST });
  await expect(401, { error: 'Invalid credentials' }, '/api/login/', { username, password: SECOND });
  const token = await logIn(email, FIRST);
  await expect(200, { message: 'Password changed successfully.' }, '/api/change_password/', { old_password: FIRST, new_password: SECOND }, token);

  await expect(200, { status: 'OK' }, '/api/password_reset/', { email });
  const [mailed] = /dwr_[\w-]{64}/.exec((await mailWith('confirm', { email })).link);
  await expect(200, { status: 'OK' }, '/api/password_reset/validate_token/', { token: mailed });
  await expect(400, { password: ['This password is too common.'] }, '/api/password_reset/confirm/', { token: mailed, password: 'password' });
  await expect(200, { status: 'OK' }, '/api/password_reset/confirm/', { token: mailed, password: THIRD });
  await expect(404, DEAD, '/api/password_reset/confirm/', { token: mailed, password: THIRD });

  await expect(401, { detail: 'Invalid token.' }, '/api/logout/', {}, token);
  await expect(200, { message: 'Successfully logged out.' }, '/api/logout/', {}, await logIn(username, THIRD));
}
