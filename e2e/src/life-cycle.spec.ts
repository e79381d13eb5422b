// SPDX-License-Identifier: Apache-2.0
// Scaling, starting from zero, updating and stopping, with requests under way.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, until } from '@junctiond/testing';
import { randomBytes } from 'node:crypto';
import { type FunctionStatus } from './faas-cli/openfaas-api.js';
import { encryptedHex } from './stack/aes.js';
import { HttpStream } from './stack/http-stream.js';
import { builtImage } from './stack/images.js';
import { Load } from './stack/load.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
}, stackTimeoutMs);
afterAll(() => stack.stop());

async function scale(name: string, replicas: number): Promise<void> {
  expect((await stack.api.scaleFunction(name, replicas)).status).toBe(202);
  await stack.untilAvailable(name, replicas);
}

async function tokenOf(name: string): Promise<string> {
  const answer = await exchange(stack.functionUrl(name, '/about'), { method: 'GET' });
  expect(answer.status).toBe(200);
  return (JSON.parse(answer.body.toString()) as { token: string }).token;
}

describe('scaling', () => {
  it('up and down loses no request', async () => {
    await stack.deploy({ service: 'aes', image: builtImage('aes') });
    const load = new Load(stack.functionUrl('aes'), 8);
    for (const replicas of [3, 1, 2, 1]) {
      await scale('aes', replicas);
      const before = load.answered;
      await until('some answers', () => load.answered > before + 50);
    }
    const result = await load.stop();
    expect(result.failures).toEqual([]);
  });

  it('down lets a replica finish what is in flight', async () => {
    await stack.deploy({ service: 'draining', image: builtImage('probe') });
    const held = new HttpStream(stack.functionUrl('draining', '/stream?key=drain&count=2'), { method: 'GET' });
    held.endBody();
    await held.response();
    // The replacement gets what comes from now on; the old replica must stay until its answer is complete.
    expect((await stack.api.scaleFunction('draining', 0)).status).toBe(202);
    await until('the scale', async () => {
      return ((await stack.api.getFunction('draining')).json() as FunctionStatus).replicas === 0;
    });
    expect(held.failure).toBeUndefined();
    held.abort();
    await stack.untilAvailable('draining', 0);
  });

  it('to zero ends every instance', async () => {
    await stack.deploy({ service: 'ending', image: builtImage('aes') });
    await scale('ending', 0);
    await until('the instance to be gone', async () => {
      return !(await stack.status()).instances.some(({ id }) => id.includes('ending'));
    });
  });
});

describe('a function at zero', () => {
  it('is started by a request, which then is answered', async () => {
    await stack.deploy({ service: 'cold', image: builtImage('aes') });
    await scale('cold', 0);
    const plain = randomBytes(600);
    const answer = await exchange(stack.functionUrl('cold'), { body: plain });
    expect(answer.body.toString()).toBe(encryptedHex(plain));
    await stack.untilAvailable('cold', 1);
  });

  it('is started once for many requests', async () => {
    await stack.deploy({ service: 'crowd', image: builtImage('probe') });
    await scale('crowd', 0);
    const tokens = await Promise.all(Array.from({ length: 100 }, () => tokenOf('crowd')));
    expect(new Set(tokens).size).toBe(1);
  });

  it.each(['aes-cpp', 'aes-python', 'aes-node'])('is started in any language: %s', async (image) => {
    await stack.deploy({ service: `cold-${image}`, image: builtImage(image) });
    await scale(`cold-${image}`, 0);
    const answer = await exchange(stack.functionUrl(`cold-${image}`), { body: 'hello' });
    expect(answer.body.toString()).toBe(encryptedHex('hello'));
    await stack.api.deleteFunction(`cold-${image}`);
  });

  it('is not held up by a client that goes away meanwhile', async () => {
    await stack.deploy({ service: 'leaving', image: builtImage('probe') });
    await scale('leaving', 0);
    const leaving = new HttpStream(stack.functionUrl('leaving', '/echo'), { method: 'GET' });
    leaving.endBody();
    leaving.abort();
    expect((await exchange(stack.functionUrl('leaving', '/echo'))).status).toBe(200);
  });

  it('refuses its callers with the reason where it cannot start', async () => {
    await stack.deploy({ service: 'broken', image: builtImage('probe') });
    await scale('broken', 0);
    const broken = { service: 'broken', image: builtImage('probe'), envVars: { probe_mode: 'exit' } };
    expect((await stack.api.updateFunction(broken)).status).toBe(202);
    const answer = await exchange(stack.functionUrl('broken'), { body: 'x' });
    expect([502, 503, 504]).toContain(answer.status);
    expect(answer.body.toString()).toMatch(/exit|status 3/i);
  });
});

describe('an update', () => {
  it('fails no request and ends the old replica', async () => {
    const key = 'ffeeddccbbaa99887766554433221100';
    await stack.deploy({ service: 'updated', image: builtImage('aes'), envVars: { ROUND: '0' } });
    const load = new Load(stack.functionUrl('updated'), 8);
    for (const round of ['1', '2', '3']) {
      await stack.deploy({ service: 'updated', image: builtImage('aes'), envVars: { ROUND: round } });
      const before = load.answered;
      await until('some answers', () => load.answered > before + 50);
    }
    expect((await load.stop()).failures).toEqual([]);
    await stack.deploy({ service: 'updated', image: builtImage('aes'), envVars: { AES_KEY: key } });
    await until('the new key', async () => {
      const answer = await exchange(stack.functionUrl('updated'), { body: 'hello' });
      return answer.body.toString() === encryptedHex('hello', key);
    });
    await until('one instance to be left', async () => {
      return (await stack.status()).instances.filter(({ id }) => id.includes('updated')).length === 1;
    });
  });

  it('to another image switches to it', async () => {
    await stack.deploy({ service: 'switched', image: builtImage('probe') });
    await stack.deploy({ service: 'switched', image: builtImage('aes-cpp') });
    await until('an answer of the new image', async () => {
      const answer = await exchange(stack.functionUrl('switched'), { body: 'hello' });
      return answer.body.toString() === encryptedHex('hello');
    });
  });

  it('that never gets ready leaves the old replica serving', async () => {
    await stack.deploy({ service: 'kept', image: builtImage('probe') });
    const token = await tokenOf('kept');
    const broken = { service: 'kept', image: builtImage('probe'), envVars: { probe_mode: 'exit' } };
    expect((await stack.api.updateFunction(broken)).status).toBe(202);
    await until('the reason', async () => {
      return /exit|status 3/i.test(((await stack.api.getFunction('kept')).json() as { reason?: string }).reason ?? '');
    });
    expect(await tokenOf('kept')).toBe(token);
    await stack.deploy({ service: 'kept', image: builtImage('probe') });
  });

  it('lets the old replica finish what is in flight', async () => {
    await stack.deploy({ service: 'finishing', image: builtImage('probe') });
    const held = new HttpStream(stack.functionUrl('finishing', '/stream?key=x&count=2'), { method: 'GET' });
    held.endBody();
    await held.response();
    const token = await tokenOf('finishing');
    await stack.deploy({ service: 'finishing', image: builtImage('probe'), envVars: { NEW: '1' } });
    await until('the new replica to answer', async () => (await tokenOf('finishing')) !== token);
    expect(held.failure).toBeUndefined();
    expect(held.isEnded).toBe(false);
    held.abort();
    await until('the old instance to be gone', async () => {
      return (await stack.status()).instances.filter(({ id }) => id.includes('finishing')).length === 1;
    });
  });
});
