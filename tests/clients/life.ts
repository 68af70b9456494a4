// The life of an account with a client that is made of docs/openapi.json: openapi-typescript makes the types, openapi-fetch sends the requests.
// `typescript.test.js` compiles and runs it.

import createClient from 'openapi-fetch';

import type { paths } from './generated/schema.js';

export const FIRST = 'Correct-Horse-42';
export const SECOND = 'seven quiet lighthouses';
export const THIRD = 'nine brisk umbrellas';

// A session, written out, so that the document has to say the same.
interface LoggedIn {
  token: string;
  expires_at: string;
}

// What the API answered, under the names of the steps.
export interface Life {
  registered: { username: string; email: string } | undefined;
  taken: string[] | undefined;
  session: LoggedIn | undefined;
  refused: string | undefined;
  changed: string | undefined;
  asked: string | undefined;
  valid: string | undefined;
  weak: string[] | undefined;
  reset: string | undefined;
  dead: string | undefined;
  ended: string | undefined;
  again: LoggedIn | undefined;
  loggedOut: string | undefined;
}

export async function life(baseUrl: string, username: string, email: string, mailedToken: () => Promise<string>): Promise<Life> {
  const client = createClient<paths>({ baseUrl });
  const logIn = (password: string) => client.POST('/api/login/', { body: { username, password } });

  const registered = await client.POST('/api/register/', { body: { username, email, password: FIRST } });
  const taken = await client.POST('/api/register/', { body: { username, email, password: FIRST } });
  const first = await logIn(FIRST);
  const refused = await logIn(SECOND);

  const session = createClient<paths>({ baseUrl, headers: { Authorization: `Token ${first.data?.token}` } });
  const changed = await session.POST('/api/change_password/', { body: { old_password: FIRST, new_password: SECOND } });

  const asked = await client.POST('/api/password_reset/', { body: { email } });
  const token = await mailedToken();
  const valid = await client.POST('/api/password_reset/validate_token/', { body: { token } });
  const weak = await client.POST('/api/password_reset/confirm/', { body: { token, password: 'password' } });
  const reset = await client.POST('/api/password_reset/confirm/', { body: { token, password: THIRD } });
  const dead = await client.POST('/api/password_reset/confirm/', { body: { token, password: THIRD } });

  const ended = await session.POST('/api/logout/');
  const second = await logIn(THIRD);
  const loggedOut = await client.POST('/api/logout_all/', { headers: { Authorization: `Bearer ${second.data?.token}` } });

  return {
    registered: registered.data,
    taken: fieldErrors(taken.error)?.username,
    session: first.data,
    refused: text(refused.error, 'error'),
    changed: changed.data?.message,
    asked: text(asked.data, 'status'),
    valid: valid.data?.status,
    weak: fieldErrors(weak.error)?.password,
    reset: text(reset.data, 'status'),
    dead: text(dead.error, 'detail'),
    ended: text(ended.error, 'detail'),
    again: second.data,
    loggedOut: loggedOut.data?.message,
  };
}

// The types know what a request needs and what an answer has. A line that the compiler accepts in spite of its comment is an error.
export function mistakes(baseUrl: string): unknown[] {
  const client = createClient<paths>({ baseUrl });
  return [
    // @ts-expect-error an account has an address
    () => client.POST('/api/register/', { body: { username: 'ann', password: FIRST } }),
    // @ts-expect-error a token is text
    () => client.POST('/api/password_reset/validate_token/', { body: { token: 7 } }),
    // @ts-expect-error there is no such route
    () => client.POST('/api/signup/', {}),
    // @ts-expect-error a login is no GET
    () => client.GET('/api/login/'),
    // @ts-expect-error a session has no such member
    async () => (await client.POST('/api/login/', { body: { username: 'ann', password: FIRST } })).data?.key,
  ];
}

function fieldErrors(error: unknown): Record<string, string[]> | undefined {
  return typeof error === 'object' ? (error as Record<string, string[]>) : undefined;
}

function text(answer: unknown, name: string): string | undefined {
  return typeof answer === 'object' ? (answer as Record<string, string>)[name] : undefined;
}
