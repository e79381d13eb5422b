// SPDX-License-Identifier: Apache-2.0
// Functions that crash, never listen, exit at once or answer garbage: their callers and owners are told, the rest goes on.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, exchangeRaw, until } from '@junctiond/testing';
import { type FunctionDeployment, type FunctionStatus } from './faas-cli/openfaas-api.js';
import { HttpStream } from './stack/http-stream.js';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

interface StatusWithReason extends FunctionStatus {
  readonly reason?: string;
  readonly lastFailure?: { readonly reason: string; readonly at: string; readonly instance: string };
}

let stack: TestStack;

beforeAll(async () => {
  // Functions that never listen are given up after this, not after the default.
  stack = await TestStack.start({ JUNCTION_JUNCTIOND_LISTEN_DEADLINE: '3s' });
  await stack.deploy({ service: 'bystander', image: builtImage('probe') });
}, stackTimeoutMs);
afterAll(() => stack.stop());

afterEach(async () => {
  const answer = await exchange(stack.functionUrl('bystander', '/mirror'), { body: 'as before' });
  expect(answer.body.toString()).toBe('as before');
});

async function deployProbe(service: string, envVars: Record<string, string>): Promise<void> {
  const deployment: FunctionDeployment = { service, image: builtImage('probe'), envVars };
  expect((await stack.api.createFunction(deployment)).status).toBe(202);
}

async function untilReason(name: string, reason: RegExp): Promise<StatusWithReason> {
  return until(`${name} to be given up because of ${String(reason)}`, async () => {
    const answer = await stack.api.getFunction(name);
    const status = answer.json() as StatusWithReason;
    if (reason.test(status.reason ?? '')) return status;
    throw new Error(answer.text);
  });
}

describe('a function that never gets ready', () => {
  it('since it exits at once, is described with its exit status and last words', async () => {
    await deployProbe('exits', { probe_mode: 'exit', probe_exit_code: '42' });
    const status = await untilReason('exits', /42/);
    expect(status.availableReplicas).toBe(0);
    expect((await stack.api.readLogs('exits')).text).toContain('exiting at once with status 42');
  });

  it('since it never listens, is described so', async () => {
    await deployProbe('silent', { probe_mode: 'silent' });
    expect((await untilReason('silent', /listen/)).availableReplicas).toBe(0);
  });

  it('since its program is not there, is described so', async () => {
    // The image of a program that the fork watchdog cannot find.
    const deployment = { service: 'no-program', image: builtImage('fork-watchdog'), envProcess: '/no/such/program' };
    expect((await stack.api.createFunction(deployment)).status).toBe(202);
    await untilReason('no-program', /exit|status/);
    expect((await stack.api.readLogs('no-program')).text).toContain('/no/such/program');
  });

  it('answers its callers with the reason', async () => {
    await deployProbe('exits-too', { probe_mode: 'exit', probe_exit_code: '43' });
    await untilReason('exits-too', /43/);
    const answer = await exchange(stack.functionUrl('exits-too'), { body: 'x' });
    expect(answer.status).toBeGreaterThanOrEqual(502);
    expect(answer.status).toBeLessThanOrEqual(504);
    expect(answer.body.toString()).toContain('43');
  });

  it('gets ready once it is deployed anew with what it needs', async () => {
    await deployProbe('mended', { probe_mode: 'exit' });
    await untilReason('mended', /3/);
    const status = await stack.deploy({ service: 'mended', image: builtImage('probe') });
    expect(status).not.toHaveProperty('reason');
    expect((await exchange(stack.functionUrl('mended'), { body: 'x' })).status).toBe(200);
  });
});

describe('a function that crashes on a request', () => {
  it.each(['exit', 'abort', 'segv'])('by %s, fails that one with 502 and is back for the next', async (how) => {
    const name = `crash-${how}`;
    await stack.deploy({ service: name, image: builtImage('probe') });
    const answer = await exchange(stack.functionUrl(name, `/crash?how=${how}`));
    expect(answer.status).toBe(502);
    expect(answer.body.toString()).toMatch(/function/i);
    await until('the function to be back', async () => {
      return (await exchange(stack.functionUrl(name, '/echo'))).status === 200;
    });
    await stack.untilAvailable(name);
  });

  it('in mid-answer, ends the answer where it broke', async () => {
    await stack.deploy({ service: 'crash-late', image: builtImage('probe') });
    await expect(exchange(stack.functionUrl('crash-late', '/crash?after=head'))).rejects.toThrow();
    await until('the function to be back', async () => {
      return (await exchange(stack.functionUrl('crash-late', '/echo'))).status === 200;
    });
  });

  it('takes more memory than its limit, is restarted', async () => {
    await stack.deploy({ service: 'greedy', image: builtImage('probe'), limits: { memory: '64Mi' } });
    const answer = await exchange(stack.functionUrl('greedy', '/memory?mb=200'));
    expect(answer.status).toBe(502);
    await until('the function to be back', async () => {
      return (await exchange(stack.functionUrl('greedy', '/echo'))).status === 200;
    });
  });

  it('again and again, is described with the reason, and the other functions go on', async () => {
    await stack.deploy({ service: 'crash-loop', image: builtImage('probe') });
    for (let i = 0; i < 3; i++) {
      await until('an answer of it', async () => {
        return (await exchange(stack.functionUrl('crash-loop', '/echo'))).status === 200;
      });
      await exchange(stack.functionUrl('crash-loop', '/crash?how=exit'));
    }
    const status = (await stack.untilAvailable('crash-loop')) as StatusWithReason;
    // All is well again, and it is still told what happened.
    expect(status.reason).toBeUndefined();
    expect(status.lastFailure?.reason).toMatch(/exited with code 7/);
    expect(Date.parse(status.lastFailure?.at ?? '')).toBeGreaterThan(Date.parse(status.createdAt) - 1000);
    expect(status.lastFailure?.instance).toMatch(/^crash-loop-/);
  });
});

describe('a function that answers garbage', () => {
  beforeAll(async () => {
    await stack.deploy({ service: 'liar', image: builtImage('probe') });
  });

  it.each([
    'garbage',
    'nothing',
    'half-head',
    'bad-length',
    'two-lengths',
    'length-and-te',
    'bad-header',
    'huge-header',
  ])('of the kind %s: 502', async (kind) => {
    const answer = await exchange(stack.functionUrl('liar', `/raw?kind=${kind}`));
    expect(answer.status).toBe(502);
    expect(answer.body.toString()).toMatch(/function/i);
  });

  it.each(['half-body', 'bad-chunk', 'half-chunk'])('of the kind %s: an answer that ends early', async (kind) => {
    const received = await exchangeRaw(
      stack.portBase,
      `POST /function/liar/raw?kind=${kind} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    expect(received).toMatch(/^HTTP\/1\.1 (200|502) /);
    if (received.startsWith('HTTP/1.1 200')) {
      await expect(exchange(stack.functionUrl('liar', `/raw?kind=${kind}`))).rejects.toThrow();
    }
  });

  it('to everybody, is still only its own trouble', async () => {
    await stack.deploy({ service: 'all-garbage', image: builtImage('probe'), envVars: { probe_mode: 'garbage' } });
    for (let i = 0; i < 5; i++) {
      expect((await exchange(stack.functionUrl('all-garbage'), { body: 'x' })).status).toBe(502);
    }
  });

  it('or nothing at all, is given up after its time', async () => {
    await stack.deploy({
      service: 'deaf',
      image: builtImage('probe'),
      envVars: { probe_mode: 'deaf' },
      labels: { 'com.openfaas.timeout': '1s' },
    });
    expect((await exchange(stack.functionUrl('deaf'), { body: 'x' })).status).toBe(504);
  });
});

describe('a function that does not want to stop', () => {
  it('is killed after its grace period', async () => {
    await stack.deploy({
      service: 'stubborn',
      image: builtImage('probe'),
      envVars: { probe_mode: 'ignore-term', grace_period: '1s' },
    });
    expect((await stack.api.deleteFunction('stubborn')).status).toBe(202);
    await until('its instance to be gone', async () => {
      return !(await stack.status()).instances.some(({ id }) => id.includes('stubborn'));
    });
  });

  it('holds a deleted function no longer than its time limit', async () => {
    await stack.deploy({
      service: 'holding',
      image: builtImage('probe'),
      envVars: { grace_period: '1s' },
      labels: { 'com.openfaas.timeout': '2s' }, // what is in flight gets this long to end
    });
    const held = new HttpStream(stack.functionUrl('holding', '/stream?key=never'), { method: 'GET' });
    held.endBody();
    await held.response();
    expect((await stack.api.deleteFunction('holding')).status).toBe(202);
    expect((await exchange(stack.functionUrl('holding'), { body: 'x' })).status).toBe(404);
    await until('the held answer to break off', () => held.failure !== undefined || held.isEnded);
    await until('its instance to be gone', async () => {
      return !(await stack.status()).instances.some(({ id }) => id.includes('holding'));
    });
  });
});
