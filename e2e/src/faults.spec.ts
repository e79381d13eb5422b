// SPDX-License-Identifier: Apache-2.0
// kill -9 of each process under load, and Redis down and back.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, until } from '@junctiond/testing';
import { type FunctionStatus } from './faas-cli/openfaas-api.js';
import { builtImage } from './stack/images.js';
import { Load } from './stack/load.js';
import { type ProcessName, TestStack, stackTimeoutMs } from './stack/test-stack.js';

const connections = 8;
let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
  await stack.deploy({ service: 'aes', image: builtImage('aes') });
  await stack.deploy({ service: 'probe', image: builtImage('probe') });
}, stackTimeoutMs);
afterAll(() => stack.stop());

async function tokenOf(name: string): Promise<string> {
  const answer = await exchange(stack.functionUrl(name, '/about'), { method: 'GET' });
  return (JSON.parse(answer.body.toString()) as { token: string }).token;
}

async function untilMore(load: Load, answers = 200): Promise<void> {
  const before = load.answered;
  await until('more answers under load', () => load.answered > before + answers);
}

describe.each<ProcessName>(['provider', 'junctiond', 'scheduler-monitor', 'scheduler'])('kill -9 of %s', (name) => {
  it('fails no request; it comes back, finds its instances, and takes changes', async () => {
    const token = await tokenOf('probe');
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    const pid = await stack.kill(name);
    await untilMore(load);
    await stack.untilBack(name, pid);
    await untilMore(load);
    const result = await load.stop();
    expect(result.failures).toEqual([]);

    expect(await tokenOf('probe')).toBe(token);
    await stack.untilAvailable('aes', 1);
    await stack.deploy({ service: `after-${name}`, image: builtImage('aes') });
    await until('the gateway to know its route', async () => {
      return (await exchange(stack.functionUrl(`after-${name}`), { body: 'x' })).status === 200;
    });
    expect((await stack.api.deleteFunction(`after-${name}`)).status).toBe(202);
  });
});

describe('kill -9 of the gateway', () => {
  it('loses only what was in flight in it', async () => {
    const token = await tokenOf('probe');
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    const pid = await stack.kill('gateway');
    await stack.untilBack('gateway', pid);
    await untilMore(load);
    const { failures } = await load.stop();
    // While nobody listens, clients are refused: nothing of theirs is lost.
    const lost = failures.filter((failure) => !failure.includes('ECONNREFUSED'));
    for (const failure of lost) expect(failure).toMatch(/ECONNRESET|socket hang up|aborted/);
    expect(lost.length).toBeLessThanOrEqual(connections);
    expect(await tokenOf('probe')).toBe(token);
  });

  it('serves with its routes again, and counts from anew', async () => {
    const status = (await stack.api.getFunction('aes')).json() as FunctionStatus;
    expect(status.availableReplicas).toBe(1);
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    expect((await load.stop()).failures).toEqual([]);
  });
});

describe('kill -9 of Redis', () => {
  it('stops changes, not invocations, and loses nothing that was acknowledged', async () => {
    await stack.api.createSecret('kept', 'value');
    await stack.deploy({ service: 'kept', image: builtImage('probe'), secrets: ['kept'] });
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    const pid = await stack.kill('redis');
    await untilMore(load);
    await stack.untilBack('redis', pid);
    await untilMore(load);
    expect((await load.stop()).failures).toEqual([]);

    await until('the functions to be listed', async () => {
      const names = ((await stack.api.listFunctions()).json() as FunctionStatus[]).map(({ name }) => name);
      return names.includes('aes') && names.includes('kept');
    });
    expect((await stack.api.listSecrets()).text).toContain('kept');
    await until('changes to be taken', async () => {
      return (await stack.api.createFunction({ service: 'after-redis', image: builtImage('aes') })).status === 202;
    });
    await stack.untilAvailable('after-redis');
  });
});

describe('kill -9 of everything at once', () => {
  it('brings the functions back', async () => {
    const token = await tokenOf('probe');
    const names: ProcessName[] = ['gateway', 'provider', 'junctiond', 'scheduler-monitor', 'redis'];
    const { processes } = await stack.status();
    const killed = processes.filter(({ name }) => names.includes(name));
    for (const { pid } of killed) process.kill(pid, 'SIGKILL');
    for (const { name, pid } of killed) await stack.untilBack(name, pid);
    await until('an answer', async () => (await exchange(stack.functionUrl('aes'), { body: 'x' })).status === 200);
    expect(await tokenOf('probe')).toBe(token);
  });
});

describe('kill -9 of an instance', () => {
  it('is followed by another one', async () => {
    await stack.deploy({ service: 'victim', image: builtImage('probe') });
    const token = await tokenOf('victim');
    const instance = (await stack.status()).instances.find(({ id }) => id.includes('victim'));
    expect(instance).toBeDefined();
    process.kill(instance?.pid ?? 0, 'SIGKILL');
    await until('another one to answer', async () => (await tokenOf('victim')) !== token);
    await stack.untilAvailable('victim', 1);
  });
});
