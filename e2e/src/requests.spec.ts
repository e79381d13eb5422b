// SPDX-License-Identifier: Apache-2.0
// Requests that a gateway must refuse or endure.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, exchangeRaw, until } from '@junctiond/testing';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { HttpStream } from './stack/http-stream.js';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
  await stack.deploy({ service: 'probe', image: builtImage('probe') });
}, stackTimeoutMs);
afterAll(() => stack.stop());

async function expectServed(): Promise<void> {
  const answer = await exchange(stack.functionUrl('probe', '/mirror'), { body: 'still here' });
  expect(answer.body.toString()).toBe('still here');
}

async function open(): Promise<Socket> {
  const socket = connect(stack.portBase, '127.0.0.1').setNoDelay(true);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const post = 'POST /function/probe/mirror HTTP/1.1\r\nHost: a\r\n';

describe('a request that can be read in two ways', () => {
  it.each([
    ['a length and chunks', `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two different lengths', `${post}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`],
    ['a list of lengths', `${post}Content-Length: 4, 5\r\n\r\nabcde`],
    ['a length with a sign', `${post}Content-Length: +4\r\n\r\nabcd`],
    ['a length in hexadecimal', `${post}Content-Length: 0x4\r\n\r\nabcd`],
    ['an unknown transfer coding', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['chunked that is not the last coding', `${post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${post}Content-Length : 4\r\n\r\nabcd`],
    ['a folded header', `${post}X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n`],
    ['a line end within a header', `${post}X-A: a\rContent-Length: 4\r\n\r\nabcd`],
    ['a zero byte in a header', `${post}X-A: a\0b\r\nContent-Length: 0\r\n\r\n`],
    ['a bad chunk size', `${post}Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n`],
    ['a chunk size past 64 bits', `${post}Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n`],
    ['two hosts', `${post}Host: b\r\nContent-Length: 0\r\n\r\n`],
    ['no host', 'POST /function/probe/mirror HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
  ])('is refused: %s', async (_, bytes) => {
    const received = await exchangeRaw(stack.portBase, bytes);
    expect(received).toMatch(/^HTTP\/1\.1 (400|501) /);
    expect(received.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    await expectServed();
  });
});

describe('a request that is too large or no request', () => {
  it('with a header past 1 MiB is refused with 431', async () => {
    const received = await exchangeRaw(stack.portBase, `${post}X-Large: ${'x'.repeat(1_100_000)}\r\n\r\n`);
    expect(received).toMatch(/^HTTP\/1\.1 431 /);
    await expectServed();
  });

  it.each([
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['no version', 'GET /function/probe\r\n\r\n'],
    ['an unknown version', 'GET /function/probe HTTP/7.0\r\nHost: a\r\n\r\n'],
    ['a bad method', 'G<T /function/probe HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('is refused: %s', async (_, bytes) => {
    expect(await exchangeRaw(stack.portBase, bytes)).toMatch(/^HTTP\/1\.[01] (400|505) /);
    await expectServed();
  });

  it.each(['/function/', '/function', '/function/%00', '/function/a b', '/function/..%2f..%2fetc', '/nowhere'])(
    'to %j finds nothing',
    async (path) => {
      const received = await exchangeRaw(
        stack.portBase,
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect(received).toMatch(/^HTTP\/1\.1 (400|404) /);
    },
  );
});

describe('a client that stops half way', () => {
  it('in the head, is forgotten', async () => {
    const socket = await open();
    await new Promise((resolve) => socket.write('POST /function/probe/mirror HTTP/1.1\r\nHos', resolve));
    socket.destroy();
    await expectServed();
  });

  it('in the body, ends the request in the function too', async () => {
    const upload = new HttpStream(stack.functionUrl('probe', '/receive?key=half'), {
      headers: { 'content-length': '1000' },
    });
    upload.send('x'.repeat(10));
    await until('the first bytes', async () => {
      const answer = await exchange(stack.functionUrl('probe', '/waiting?key=half'), { method: 'GET' });
      return (JSON.parse(answer.body.toString()) as { received: number }).received === 10;
    });
    upload.abort();
    await until('the function to notice', async () =>
      (await stack.api.readLogs('probe')).text.includes('receive: the body ended early'),
    );
  });

  it('and keeps the connection, holds up nobody else', async () => {
    const slow = await open();
    let received = '';
    slow.on('data', (data) => (received += data.toString()));
    const request = `${post}Content-Length: 3\r\nConnection: close\r\n\r\nabc`;
    for (const byte of request.slice(0, -1)) await new Promise((resolve) => slow.write(byte, resolve));
    for (let i = 0; i < 20; i++) await expectServed();
    expect(received).toBe('');
    slow.write(request.slice(-1));
    await once(slow, 'close');
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nabc$/);
  });

  it('a thousand times over, holds up nobody else', async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, open));
    for (const socket of sockets) socket.write('POST /function/probe/mirror HTTP/1.1\r\nHos');
    for (let i = 0; i < 20; i++) await expectServed();
    for (const socket of sockets) socket.destroy();
    await expectServed();
  });
});

describe('the API', () => {
  const protectedRoutes: readonly (readonly [string, string])[] = [
    ['GET', '/system/functions'],
    ['POST', '/system/functions'],
    ['PUT', '/system/functions'],
    ['DELETE', '/system/functions'],
    ['GET', '/system/function/probe'],
    ['POST', '/system/scale-function/probe'],
    ['GET', '/system/info'],
    ['POST', '/system/alert'],
    ['GET', '/system/secrets'],
    ['POST', '/system/secrets'],
    ['GET', '/system/logs?name=probe'],
    ['GET', '/system/namespaces'],
    ['POST', '/system/namespace/'],
    ['GET', '/ui/'],
  ];

  it.each(protectedRoutes)('refuses %s %s without, or with wrong credentials', async (method, path) => {
    const wrong = [undefined, { user: 'admin', password: 'wrong' }, { user: '', password: '' }];
    for (const credentials of wrong) {
      const answer = await stack.api.as(credentials).request(method, path);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Basic realm="Restricted"');
      expect(answer.text.trim()).toBe('invalid credentials');
    }
  });

  it.each(['Basic', 'Basic !!!', `Basic ${Buffer.from('admin').toString('base64')}`, 'Digest x', 'Bearer wrong'])(
    'refuses the header "Authorization: %s"',
    async (authorization) => {
      const answer = await exchange(`${stack.gatewayUrl}/system/functions`, {
        method: 'GET',
        headers: { authorization },
      });
      expect(answer.status).toBe(401);
    },
  );

  it('needs no credentials for its health', async () => {
    expect((await stack.api.as(undefined).healthz()).status).toBe(200);
  });

  it('sends / on to the dashboard', async () => {
    const answer = await exchange(`${stack.gatewayUrl}/`, { method: 'GET' });
    expect(answer.status).toBe(307);
    expect(answer.headers.location).toBe('/ui/');
  });

  it('says that async invocations are to come', async () => {
    const answer = await stack.api.invoke('probe', 'x', { async: true });
    expect(answer.status).toBe(501);
    expect(answer.text).toMatch(/async/i);
  });

  it('tells who it is', async () => {
    const info = (await stack.api.info()).json() as Record<string, Record<string, unknown>>;
    const texts = [
      info['provider']?.['provider'],
      info['provider']?.['orchestration'],
      (info['provider']?.['version'] as Record<string, unknown>)['sha'],
      (info['provider']?.['version'] as Record<string, unknown>)['release'],
      info['version']?.['sha'],
      info['version']?.['release'],
      info['arch'],
    ];
    for (const text of texts) expect(text).toMatch(/./);
  });
});
