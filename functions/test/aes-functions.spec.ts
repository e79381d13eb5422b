// SPDX-License-Identifier: Apache-2.0
import { createCipheriv, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, exchangeRaw, freePort, keepAliveAgent } from '@junctiond/testing';
import { RunningProgram, builtProgram, functionsRoot } from './running-program.fixture.ts';

const DEFAULT_KEY = '000102030405060708090a0b0c0d0e0f';

const functions: readonly { name: string; command: readonly string[] }[] = [
  { name: 'aes', command: [builtProgram('aes')] },
  { name: 'aes-cpp', command: [builtProgram('aes-cpp')] },
  { name: 'aes-python', command: ['/usr/bin/python3', join(functionsRoot, 'aes-python/server.py')] },
  { name: 'aes-node', command: [process.execPath, join(functionsRoot, 'aes-node/server.mjs')] },
];

function expected(plain: Buffer | string, key = DEFAULT_KEY): string {
  const cipher = createCipheriv('aes-128-ctr', Buffer.from(key, 'hex'), Buffer.alloc(16));
  return cipher.update(plain).toString('hex');
}

async function start(command: readonly string[], env: Record<string, string> = {}): Promise<RunningProgram> {
  const port = await freePort();
  return new RunningProgram(command, { ...env, PORT: String(port) }, port);
}

describe.each(functions)('$name', ({ name, command }) => {
  let server: RunningProgram;
  const others: RunningProgram[] = [];

  async function startAnother(env: Record<string, string> = {}): Promise<RunningProgram> {
    const another = await start(command, env);
    others.push(another);
    return another;
  }

  beforeAll(async () => {
    server = await (await start(command)).listening();
  });
  afterEach(async () => {
    await Promise.all(others.splice(0).map((other) => other.kill()));
  });
  afterAll(async () => {
    await server.kill();
  });

  it('answers the known vector of SP 800-38A with its counter block set to zero', async () => {
    // AES-128 of a zero block under the default key, from `openssl enc -aes-128-ctr`.
    const answer = await exchange(server.url, { body: Buffer.alloc(16) });
    expect(answer.body.toString()).toBe('c6a13b37878f5b826f4f8162a1c8d879');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/plain');
  });

  it.each([1, 15, 16, 17, 600, 4096, 65_537])('encrypts a body of %d bytes', async (sizeBytes) => {
    const plain = randomBytes(sizeBytes);
    const answer = await exchange(`${server.url}/any/path?query=1`, { body: plain });
    expect(answer.body.toString()).toBe(expected(plain));
  });

  it('answers an empty body with an empty body', async () => {
    const answer = await exchange(server.url, { body: '' });
    expect(answer.status).toBe(200);
    expect(answer.body).toHaveLength(0);
  });

  it('encrypts a body of 10 MB', async () => {
    const plain = randomBytes(10_000_000);
    const answer = await exchange(server.url, { body: plain });
    expect(answer.body.toString() === expected(plain)).toBe(true);
  });

  it.each([1, 1000, 70_000])('takes a chunked body in chunks of %d bytes', async (chunkBytes) => {
    const plain = randomBytes(chunkBytes * 5 + 1);
    const answer = await exchange(server.url, { body: plain, chunkBytes });
    expect(answer.body.toString()).toBe(expected(plain));
  });

  it('serves many requests on one connection', async () => {
    const agent = keepAliveAgent(1);
    const ports = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const plain = randomBytes(100 + i);
      const answer = await exchange(server.url, { body: plain, agent });
      expect(answer.body.toString()).toBe(expected(plain));
      ports.add(answer.localPort);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it('serves many connections at a time', async () => {
    const agent = keepAliveAgent(32);
    await Promise.all(
      Array.from({ length: 400 }, async () => {
        const plain = randomBytes(600);
        const answer = await exchange(server.url, { body: plain, agent });
        expect(answer.body.toString()).toBe(expected(plain));
      }),
    );
    agent.destroy();
  });

  it('keeps the connection after an answer to pipelined requests', async () => {
    const one = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
    const last = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc';
    const received = await exchangeRaw(server.port, one + one + last);
    expect(received.split(expected('abc'))).toHaveLength(4);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('answers %s with 405', async (method) => {
    const answer = await exchange(server.url, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('POST');
  });

  it('answers 200 on /_/health', async () => {
    expect((await exchange(`${server.url}/_/health`, { method: 'GET' })).status).toBe(200);
  });

  it('refuses a body with a bad chunk size', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await exchangeRaw(server.port, `${head}xyz\r\nabc\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.[01] 400 /);
  });

  it('encrypts with the key of AES_KEY', async () => {
    const key = 'FFeeddccbbaa99887766554433221100';
    const another = await (await startAnother({ AES_KEY: key })).listening();
    const answer = await exchange(another.url, { body: 'hello' });
    expect(answer.body.toString()).toBe(expected('hello', key));
  });

  it.each(['0001', `${DEFAULT_KEY}00`, 'x'.repeat(32)])('refuses to start with the key %s', async (key) => {
    const another = await startAnother({ AES_KEY: key });
    expect((await another.exit).code).toBe(1);
    expect(another.stderr).toBe(`${name}: AES_KEY must be 32 hex digits (an AES-128 key)\n`);
  });

  it('finishes the request in flight on SIGTERM, then exits with 0', async () => {
    const another = await (await startAnother()).listening();
    const idle = connect(another.port, '127.0.0.1');
    const busy = connect(another.port, '127.0.0.1');
    idle.on('error', () => undefined);
    idle.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    await once(idle, 'data');
    let received = '';
    busy.on('data', (data) => (received += data.toString('latin1')));
    // "100 Continue" tells that the request is in flight.
    busy.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n');
    await once(busy, 'data');
    another.signal('SIGTERM');
    await once(idle.resume(), 'close');
    busy.write('0123456789');
    await once(busy, 'close');
    expect(received).toContain(expected('0123456789'));
    expect(await another.exit).toEqual({ code: 0, signal: null });
  });
});
