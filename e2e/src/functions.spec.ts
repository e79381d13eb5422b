// SPDX-License-Identifier: Apache-2.0
// The AES functions in four languages and the two watchdogs, deployed and invoked through the gateway.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, keepAliveAgent } from '@junctiond/testing';
import { randomBytes } from 'node:crypto';
import { encryptedHex } from './stack/aes.js';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
}, stackTimeoutMs);
afterAll(() => stack.stop());

describe.each(['aes', 'aes-cpp', 'aes-python', 'aes-node', 'http-watchdog'])('%s', (name) => {
  let url: string;

  beforeAll(async () => {
    await stack.deploy({ service: name, image: builtImage(name) });
    url = stack.functionUrl(name);
  });
  afterAll(async () => {
    await stack.api.deleteFunction(name);
  });

  it.each([0, 1, 600, 65_537])('encrypts a body of %d bytes', async (sizeBytes) => {
    const plain = randomBytes(sizeBytes);
    const answer = await exchange(url, { body: plain });
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe(encryptedHex(plain));
  });

  it('encrypts a body of 10 MB', async () => {
    const plain = randomBytes(10_000_000);
    const answer = await exchange(url, { body: plain });
    expect(answer.body.toString() === encryptedHex(plain)).toBe(true);
  });

  it('takes a chunked body', async () => {
    const plain = randomBytes(100_000);
    const answer = await exchange(url, { body: plain, chunkBytes: 7_777 });
    expect(answer.body.toString()).toBe(encryptedHex(plain));
  });

  it('serves many requests on one connection', async () => {
    const agent = keepAliveAgent(1);
    const ports = new Set<number>();
    for (let i = 0; i < 100; i++) {
      const plain = randomBytes(600);
      const answer = await exchange(url, { body: plain, agent });
      expect(answer.body.toString()).toBe(encryptedHex(plain));
      ports.add(answer.localPort);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it('serves many connections at a time', async () => {
    const agent = keepAliveAgent(32);
    const bodies = Array.from({ length: 500 }, () => randomBytes(600));
    const answers = await Promise.all(bodies.map((body) => exchange(url, { body, agent })));
    agent.destroy();
    expect(answers.map((answer) => answer.body.toString())).toEqual(bodies.map((body) => encryptedHex(body)));
  });

  it('answers its own 405 and its own health', async () => {
    const refused = await exchange(url, { method: 'GET' });
    expect(refused.status).toBe(405);
    expect(refused.headers.allow).toBe('POST');
    expect((await exchange(`${url}/_/health`, { method: 'GET' })).status).toBe(200);
  });

  it('encrypts with the key of its environment', async () => {
    const key = '00112233445566778899aabbccddeeff';
    await stack.deploy({ service: `${name}-key`, image: builtImage(name), envVars: { AES_KEY: key } });
    const answer = await exchange(stack.functionUrl(`${name}-key`), { body: 'hello' });
    expect(answer.body.toString()).toBe(encryptedHex('hello', key));
    await stack.api.deleteFunction(`${name}-key`);
  });
});

describe('fork-watchdog', () => {
  it('runs a process for each request', async () => {
    await stack.deploy({ service: 'upper', image: builtImage('fork-watchdog') });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => exchange(stack.functionUrl('upper'), { body: `hello ${i}` })),
    );
    expect(answers.map(({ body }) => body.toString())).toEqual(Array.from({ length: 20 }, (_, i) => `HELLO ${i}`));
  });

  it('takes its command from envProcess, and runs pipelines', async () => {
    await stack.deploy({
      service: 'words',
      image: builtImage('fork-watchdog'),
      envProcess: '/home/app/word-count.sh',
    });
    const answer = await exchange(stack.functionUrl('words'), { body: 'a word and a word and a word' });
    expect(answer.body.toString()).toBe('3 a\n3 word\n2 and\n');
  });

  it('answers 500 where the process fails, with its standard error in the logs', async () => {
    const answer = await exchange(stack.functionUrl('words'), { body: 'please fail' });
    expect(answer.status).toBe(500);
    expect((await stack.api.readLogs('words')).text).toContain('word-count: asked to fail');
  });
});
