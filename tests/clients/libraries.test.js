// Requests as libraries for JavaScript send them from a server or an app, where no browser asks for CORS, and as libraries of phones write them.

import http from 'node:http';
import { describe, test } from 'node:test';
import axios from 'axios';
import ky from 'ky';
import superagent from 'superagent';

import { API } from '../browser/stack.js';
import { live } from './account.js';

const any = { validateStatus: () => true };
const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});
const credentials = (token) => (token ? { Authorization: `Token ${token}` } : {});
const ofAxios = async (request) => (({ status, data }) => ({ status, body: data }))(await request);
const ofFetch = async (request) => (async (answer) => ({ status: answer.status, body: await answer.json() }))(await request);
const ofSuperagent = async (request) => (({ status, body }) => ({ status, body }))(await request.ok(() => true));

function formData(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

const CLIENTS = {
  'axios, JSON': (path, fields, token) => ofAxios(axios.post(API + path, fields, { headers: credentials(token), ...any })),
  'axios, an instance with defaults': (path, fields, token) => {
    const client = axios.create({ baseURL: `${API}/api`, timeout: 60_000, headers: { 'Content-Type': 'application/json;charset=utf-8', Accept: 'application/json' }, ...any });
    client.interceptors.request.use((config) => {
      if (token) config.headers.Authorization = `Token ${token}`;
      return config;
    });
    return ofAxios(client.post(path.replace('/api', ''), JSON.stringify(fields)));
  },
  'axios, URLSearchParams': (path, fields, token) => ofAxios(axios.post(API + path, new URLSearchParams(fields), { headers: bearer(token), ...any })),
  'axios, postForm': (path, fields, token) => ofAxios(axios.postForm(API + path, fields, { headers: bearer(token), ...any })),
  'axios, the adapter over fetch': (path, fields, token) => ofAxios(axios.post(API + path, fields, { adapter: 'fetch', headers: bearer(token), ...any })),
  'fetch, JSON without a final slash': (path, fields, token) => ofFetch(fetch((API + path).replace(/\/$/, ''), {
    method: 'POST', headers: { 'content-type': 'application/json; charset="UTF-8"', ...bearer(token) }, body: JSON.stringify(fields),
  })),
  'fetch, URLSearchParams': (path, fields, token) => ofFetch(fetch(API + path, { method: 'POST', headers: credentials(token), body: new URLSearchParams(fields) })),
  'fetch, FormData': (path, fields, token) => ofFetch(fetch(API + path, { method: 'POST', headers: credentials(token), body: formData(fields) })),
  // A route handler or server action of Next.js: a Request of its own, with what a page sent copied into it.
  'fetch, as a server of Next.js passes a request on': (path, fields, token) => {
    const headers = new Headers({ 'content-type': 'application/json', accept: '*/*', 'accept-language': '*', 'x-forwarded-for': '::1', 'x-forwarded-host': 'localhost:3000', cookie: 'csrftoken=x', ...bearer(token) });
    const body = new Blob([JSON.stringify(fields)]).stream();
    return ofFetch(fetch(new Request(API + path, { method: 'POST', headers, body, duplex: 'half', cache: 'no-store', credentials: 'include', redirect: 'manual' })));
  },
  'ky, JSON': (path, fields, token) => ofFetch(ky.post(`${API}${path}`, { json: fields, headers: credentials(token), throwHttpErrors: false, timeout: 60_000 })),
  'ky, an instance with a prefix and a form': (path, fields, token) => {
    const client = ky.create({ prefixUrl: API, credentials: 'include', throwHttpErrors: false, timeout: 60_000, hooks: { beforeRequest: [(request) => { if (token) request.headers.set('Authorization', `Token ${token}`); }] } });
    return ofFetch(client.post(path.slice(1), { body: formData(fields) }));
  },
  'superagent, JSON': (path, fields, token) => ofSuperagent(superagent.post(API + path).set(credentials(token)).send(fields)),
  'superagent, a form': (path, fields, token) => ofSuperagent(superagent.post(API + path).type('form').set(bearer(token)).send(fields)),
  'superagent, fields': (path, fields, token) => ofSuperagent(superagent.post(API + path).set(bearer(token)).field(fields)),
  'Retrofit, @FormUrlEncoded': (path, fields, token) => written(path, token, {
    'Content-Type': 'application/x-www-form-urlencoded', 'User-Agent': 'okhttp/4.12.0', 'Accept-Encoding': 'gzip',
  }, new URLSearchParams(fields).toString().replaceAll('+', '%20')),
  'Retrofit, @Body': (path, fields, token) => written(path, token, {
    'Content-Type': 'application/json; charset=UTF-8', 'User-Agent': 'okhttp/4.12.0', Accept: 'application/json, text/plain, */*',
  }, JSON.stringify(fields)),
  'Retrofit, @Multipart': (path, fields, token) => {
    const boundary = '8f0cd5d6-2f3e-4d45-9d3a-3c5d0e2f4b61';
    const part = ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\nContent-Transfer-Encoding: binary\r\n`
      + `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(value)}\r\n\r\n${value}\r\n`;
    return written(path, token, { 'Content-Type': `multipart/form-data; boundary=${boundary}` }, `${Object.entries(fields).map(part).join('')}--${boundary}--\r\n`);
  },
  'Dio, FormData': (path, fields, token) => {
    const boundary = '--dio-boundary-1234567890';
    const part = ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    return written(path, token, { 'content-type': `multipart/form-data; boundary="${boundary}"`, 'user-agent': 'Dart/3.5 (dart:io)' }, `${Object.entries(fields).map(part).join('')}--${boundary}--\r\n`);
  },
  'URLSession, names and values in unusual case': (path, fields, token) => written(path, token, {
    'CONTENT-TYPE': 'Application/JSON; Charset=UTF-8', ACCEPT: '*/*', 'user-AGENT': 'App/1 CFNetwork/1498.700.2 Darwin/23.6.0', 'ACCEPT-language': 'de_DE',
  }, JSON.stringify(fields), 'AUTHORIZATION', 'tOkEn'),
};

// A request whose header names arrive as they are written here.
function written(path, token, headers, body, name = 'Authorization', scheme = 'Token') {
  return new Promise((resolve, reject) => {
    const all = { ...headers, 'Content-Length': Buffer.byteLength(body), ...(token ? { [name]: `${scheme} ${token}` } : {}) };
    const request = http.request(API + path, { method: 'POST', headers: all }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part)).on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(Buffer.concat(parts).toString()) }));
    });
    request.on('error', reject).end(body);
  });
}

describe('a front-end changes a URL only', { concurrency: 4 }, () => {
  for (const [name, send] of Object.entries(CLIENTS)) test(name, () => live(send));
});
