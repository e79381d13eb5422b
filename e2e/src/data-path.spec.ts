// SPDX-License-Identifier: Apache-2.0
// What the gateway does with an invocation on its way to a function and back.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type HttpAnswer, exchange, exchangeRaw, keepAliveAgent, until } from '@junctiond/testing';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { HttpStream } from './stack/http-stream.js';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

/** A request as the probe function saw it. */
interface Seen {
  readonly method: string;
  readonly requestUri: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly contentLength: number;
  readonly transferEncoding: readonly string[] | null;
  readonly bodyBase64: string;
}

const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
  await stack.deploy({ service: 'probe', image: builtImage('probe') });
}, stackTimeoutMs);
afterAll(() => stack.stop());

function url(rest: string): string {
  return stack.functionUrl('probe', rest);
}

function seenBy(answer: HttpAnswer): Seen {
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body.toString()) as Seen;
}

async function waitingFor(key: string): Promise<{ waiting: number; received: number }> {
  const answer = await exchange(url(`/waiting?key=${key}`), { method: 'GET' });
  return JSON.parse(answer.body.toString()) as { waiting: number; received: number };
}

describe('a request on its way', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('keeps the method %s', async (method) => {
    expect(seenBy(await exchange(url('/echo'), { method })).method).toBe(method);
  });

  it('answers a HEAD without a body', async () => {
    const answer = await exchange(url('/bytes?count=1000'), { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-length']).toBe('1000');
    expect(answer.body).toHaveLength(0);
  });

  it.each(['TRACE', 'CONNECT'])('refuses %s', async (method) => {
    const received = await exchangeRaw(
      stack.portBase,
      `${method} /function/probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(received).toMatch(/^HTTP\/1\.1 405 /);
  });

  it.each([
    ['/echo', '/echo'],
    ['', '/'],
    ['/', '/'],
    ['?a=b', '/?a=b'],
    ['/echo/a%2Fb//c/../d;e?f=%20g&h&i=%C3%BC+', '/echo/a%2Fb//c/../d;e?f=%20g&h&i=%C3%BC+'],
  ])('forwards the path and query %j as they are', async (sent, expected) => {
    expect(seenBy(await exchange(url(sent), { method: 'GET' })).requestUri).toBe(expected);
  });

  it('finds the function by name and namespace', async () => {
    const answer = await exchange(stack.functionUrl('probe.openfaas-fn', '/echo/x'), { method: 'GET' });
    expect(seenBy(answer).requestUri).toBe('/echo/x');
  });

  it('removes hop headers and those that Connection names, and keeps the others', async () => {
    const received = await exchangeRaw(
      stack.portBase,
      'GET /function/probe/echo HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n' +
        'TE: trailers\r\nProxy-Connection: close\r\nAuthorization: Bearer mine\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n',
    );
    const { headers } = JSON.parse(received.slice(received.indexOf('\r\n\r\n{') + 4)) as Seen;
    for (const name of ['X-Hop', 'Keep-Alive', 'Te', 'Proxy-Connection']) expect(headers).not.toHaveProperty(name);
    expect(headers['Authorization']).toEqual(['Bearer mine']);
    expect(headers['X-Two']).toEqual(['1', '2']);
  });

  it('makes a call id and a start time, and answers both', async () => {
    const answer = await exchange(url('/echo'));
    const { headers } = seenBy(answer);
    expect(headers['X-Call-Id']?.[0]).toMatch(uuid4);
    expect(answer.headers['x-call-id']).toBe(headers['X-Call-Id']?.[0]);
    expect(headers['X-Start-Time']?.[0]).toMatch(/^\d{19}$/);
    expect(answer.headers['x-start-time']).toBe(headers['X-Start-Time']?.[0]);
    expect(Number(answer.headers['x-duration-seconds'])).toBeGreaterThan(0);
  });

  it('keeps a call id', async () => {
    const answer = await exchange(url('/echo'), { headers: { 'x-call-id': 'my-own-id' } });
    expect(seenBy(answer).headers['X-Call-Id']).toEqual(['my-own-id']);
    expect(answer.headers['x-call-id']).toBe('my-own-id');
  });

  it('says for whom and for which host it forwards', async () => {
    const headers = { host: 'functions.example:81', 'x-forwarded-for': '192.0.2.1' };
    const seen = seenBy(await exchange(url('/echo'), { headers }));
    expect(seen.headers['X-Forwarded-For']).toEqual(['192.0.2.1, 127.0.0.1']);
    expect(seen.headers['X-Forwarded-Host']).toEqual(['functions.example:81']);
    expect(seenBy(await exchange(url('/echo'))).headers['X-Forwarded-For']).toEqual(['127.0.0.1']);
  });

  it('goes on with a trace, or starts one', async () => {
    const traceId = randomBytes(16).toString('hex');
    const traced = await exchange(url('/echo'), { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
    expect(seenBy(traced).headers['Traceparent']?.[0]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    const started = seenBy(await exchange(url('/echo'))).headers['Traceparent']?.[0];
    expect(started).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  });

  it('has a body of any size, with a length or chunked', async () => {
    const body = randomBytes(30_000_000);
    const expected = { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') };
    const whole = await exchange(url('/consume'), { body });
    expect(JSON.parse(whole.body.toString())).toEqual(expected);
    const chunked = await exchange(url('/consume'), { body, chunkBytes: 1_000_000 });
    expect(JSON.parse(chunked.body.toString())).toEqual(expected);
  });

  it('keeps the framing of the body', async () => {
    expect(seenBy(await exchange(url('/echo'), { body: 'abc' })).contentLength).toBe(3);
    const chunked = seenBy(await exchange(url('/echo'), { body: 'abc', chunkBytes: 2 }));
    expect(chunked.transferEncoding).toEqual(['chunked']);
    expect(chunked.bodyBase64).toBe(Buffer.from('abc').toString('base64'));
  });

  it('reaches the function piece by piece', async () => {
    const upload = new HttpStream(url('/receive?key=upload'), { headers: { 'transfer-encoding': 'chunked' } });
    upload.send('x'.repeat(1000));
    await until('the first piece', async () => (await waitingFor('upload')).received === 1000);
    upload.send('y'.repeat(500));
    await until('the second piece', async () => (await waitingFor('upload')).received === 1500);
    upload.endBody();
    expect((await upload.response()).statusCode).toBe(200);
  });

  it('has headers of up to 1 MiB', async () => {
    const headers = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`x-large-${i}`, 'v'.repeat(10_000)]));
    const seen = seenBy(await exchange(url('/echo'), { headers }));
    expect(seen.headers['X-Large-89']?.[0]).toHaveLength(10_000);
  });

  it('is answered with 100 Continue before its body', async () => {
    const socket = connect(stack.portBase, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => (received += data.toString()));
    socket.write('POST /function/probe/consume HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n');
    socket.write('Expect: 100-continue\r\nConnection: close\r\n\r\n');
    await until('the go-ahead', () => received === 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('abc');
    await once(socket, 'close');
    expect(received).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*"bytes":3/);
  });

  it('may be one of a pipeline', async () => {
    const ask = (path: string, rest = '') => `GET /function/probe/echo/${path} HTTP/1.1\r\nHost: a\r\n${rest}\r\n`;
    const received = await exchangeRaw(stack.portBase, ask('1') + ask('2') + ask('3', 'Connection: close\r\n'));
    const paths = [...received.matchAll(/"path":"\/echo\/(\d)"/g)].map((match) => match[1]);
    expect(paths).toEqual(['1', '2', '3']);
  });

  it('may be of HTTP/1.0', async () => {
    const received = await exchangeRaw(stack.portBase, 'GET /function/probe/echo/old HTTP/1.0\r\n\r\n');
    expect(received).toMatch(/^HTTP\/1\.[01] 200 /);
    expect(received).toContain('"path":"/echo/old"');
  });

  it('is cancelled in the function when its client goes away', async () => {
    const held = new HttpStream(url('/hold?key=cancelled'), { method: 'GET' });
    held.endBody();
    await until('the function to hold it', async () => (await waitingFor('cancelled')).waiting === 1);
    held.abort();
    await until('the function to drop it', async () => (await waitingFor('cancelled')).waiting === 0);
  });

  it('is answered with 404 for an unknown function', async () => {
    const answer = await exchange(stack.functionUrl('nobody-knows'), { body: 'x' });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body.toString())).toEqual({ error: 'no such function', hop: 'gateway' });
  });
});

describe('an answer on its way', () => {
  it.each([201, 204, 304, 404, 418, 500, 503])('keeps the status %d', async (code) => {
    const answer = await exchange(url(`/status?code=${code}&text=${code === 204 || code === 304 ? '' : 'the+text'}`));
    expect(answer.status).toBe(code);
    expect(answer.body.toString()).toBe(code === 204 || code === 304 ? '' : 'the text');
  });

  it('may be a redirect', async () => {
    const answer = await exchange(url('/status?code=302&location=/elsewhere%3Fa=b'));
    expect(answer.status).toBe(302);
    expect(answer.headers.location).toBe('/elsewhere?a=b');
  });

  it('keeps its headers, also repeated ones', async () => {
    const answer = await exchange(url('/headers?header=Set-Cookie:a=1&header=Set-Cookie:b=2&header=X-Mine:yes'));
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(answer.headers['x-mine']).toBe('yes');
  });

  it.each(['', '&chunked=1'])('has a body of any size (%s)', async (framing) => {
    const count = 30_000_000;
    const answer = await exchange(url(`/bytes?count=${count}${framing}`), { method: 'GET' });
    expect(answer.body).toHaveLength(count);
    expect(answer.body.findIndex((byte, i) => byte !== i % 251)).toBe(-1);
  });

  it.each([
    ['sse', 'text/event-stream', 'data: {"chunk":0}\n\n', 'data: {"chunk":1}\n\n'],
    ['ndjson', 'application/x-ndjson', '{"chunk":0}\n', '{"chunk":1}\n'],
    ['text', 'text/plain', 'chunk 0\n', 'chunk 1\n'],
  ])('as %s comes piece by piece', async (format, contentType, first, second) => {
    const stream = new HttpStream(url(`/stream?format=${format}&key=stream-${format}&count=3`), { method: 'GET' });
    stream.endBody();
    expect((await stream.response()).headers['content-type']).toBe(contentType);
    await until('the first piece', () => stream.received === first);
    await exchange(url(`/release?key=stream-${format}`));
    await until('the second piece', () => stream.received === first + second);
    expect(stream.isEnded).toBe(false);
    await exchange(url(`/release?key=stream-${format}`));
    await until('the end', () => stream.isEnded);
  });

  it('reaches other clients while one does not read its own', async () => {
    const deaf = new HttpStream(url('/bytes?count=200000000'), { method: 'GET' });
    deaf.endBody();
    (await deaf.response()).pause();
    const before = (await stack.status()).processes.find(({ name }) => name === 'gateway')?.rssBytes ?? 0;
    for (let i = 0; i < 20; i++) expect((await exchange(url('/echo'))).status).toBe(200);
    const after = (await stack.status()).processes.find(({ name }) => name === 'gateway')?.rssBytes ?? 0;
    deaf.abort();
    expect(after - before).toBeLessThan(50_000_000);
  });

  it.each([
    ['until-close', 200, 'until the connection closes'],
    ['http-1-0', 200, 'an answer of HTTP/1.0'],
    ['early-hints', 200, 'hello'],
    ['keep-alive-lie', 200, 'hello'],
    ['more-than-asked', 200, 'hello'],
  ])('of the kind %s is understood', async (kind, status, body) => {
    const answer = await exchange(url(`/raw?kind=${kind}`));
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).toBe(body);
  });

  it('does not carry over what a function sent behind it', async () => {
    const agent = keepAliveAgent(1);
    for (let i = 0; i < 20; i++) {
      expect((await exchange(url('/raw?kind=more-than-asked'), { agent })).body.toString()).toBe('hello');
      expect(seenBy(await exchange(url(`/echo/${i}`), { agent })).requestUri).toBe(`/echo/${i}`);
    }
    agent.destroy();
  });

  it('comes also where the function had closed the connection meanwhile', async () => {
    const agent = keepAliveAgent(1);
    for (let i = 0; i < 50; i++) {
      expect((await exchange(url('/raw?kind=keep-alive-lie'), { agent })).body.toString()).toBe('hello');
      expect((await exchange(url('/consume'), { body: `${i}`, agent })).status).toBe(200);
    }
    agent.destroy();
  });
});

describe('the time limit of a function', () => {
  it('ends a request with 504, and says who gave up after how long', async () => {
    await stack.deploy({ service: 'limited', image: builtImage('probe'), labels: { 'com.openfaas.timeout': '1s' } });
    const answer = await exchange(stack.functionUrl('limited', '/hold?key=never'), { method: 'GET' });
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ hop: 'function', limit: 'timeout 1000 ms' });
    const waiting = await exchange(stack.functionUrl('limited', '/waiting?key=never'), { method: 'GET' });
    expect((JSON.parse(waiting.body.toString()) as { waiting: number }).waiting).toBe(0);
  });
});

describe('two replicas', () => {
  it('get each request where the least are in flight', async () => {
    await stack.deploy({ service: 'twins', image: builtImage('probe'), labels: { 'com.openfaas.scale.min': '2' } });
    await stack.untilAvailable('twins', 2);
    const tokenOf = async (): Promise<string> => {
      const answer = await exchange(stack.functionUrl('twins', '/about'), { method: 'GET' });
      return (JSON.parse(answer.body.toString()) as { token: string }).token;
    };
    const free = new Set<string>();
    await until('an answer of each', async () => free.add(await tokenOf()).size === 2);

    // Its first piece tells that it is in flight.
    const held = new HttpStream(stack.functionUrl('twins', '/stream?key=never'), { method: 'GET' });
    held.endBody();
    await held.response();
    const whileHeld = new Set<string>();
    for (let i = 0; i < 30; i++) whileHeld.add(await tokenOf());
    held.abort();
    expect(whileHeld.size).toBe(1);
  });
});
