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

describe.each<[NodeJS.Signals, ProcessName]>([
  ['SIGKILL', 'provider'],
  ['SIGKILL', 'junctiond'],
  ['SIGKILL', 'scheduler-monitor'],
  ['SIGKILL', 'scheduler'],
  ['SIGTERM', 'provider'],
  ['SIGTERM', 'junctiond'],
  ['SIGTERM', 'scheduler-monitor'],
])('%s to %s', (signal, name) => {
  it('fails no request; it comes back, finds its instances, and takes changes', async () => {
    const token = await tokenOf('probe');
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    const pid = await stack.signal(name, signal);
    await untilMore(load);
    await stack.untilBack(name, pid);
    await untilMore(load);
    expect((await load.stop()).failures).toEqual([]);

    expect(await tokenOf('probe')).toBe(token);
    await stack.untilAvailable('aes', 1);
    await stack.deploy({ service: `after-${name}`, image: builtImage('aes') });
    await until('the gateway to know its route', async () => {
      return (await exchange(stack.functionUrl(`after-${name}`), { body: 'x' })).status === 200;
    });
    expect((await stack.api.deleteFunction(`after-${name}`)).status).toBe(202);
  });
});

describe('SIGKILL to the gateway', () => {
  it('loses only what was in flight in it', async () => {
    const token = await tokenOf('probe');
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    const pid = await stack.signal('gateway', 'SIGKILL');
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

describe('SIGTERM to the gateway', () => {
  it('finishes what is in flight, and is followed by another one', async () => {
    const slow = exchange(stack.functionUrl('probe', '/slow?ms=1500'), { method: 'GET' });
    await until('the request to be in flight', async () => {
      const answer = await exchange(`http://127.0.0.1:${stack.ports.gatewayMetrics}/metrics`, { method: 'GET' });
      return /^gateway_function_invocation_inflight\{.*probe.*\} 1$/m.test(answer.body.toString());
    });
    const pid = await stack.signal('gateway', 'SIGTERM');
    expect((await slow).body.toString()).toBe('answered after 1500 ms\n');
    await stack.untilBack('gateway', pid);
    expect((await exchange(stack.functionUrl('aes'), { body: 'x' })).status).toBe(200);
  });
});

describe.each<ProcessName>(['provider', 'junctiond', 'scheduler-monitor', 'scheduler', 'redis'])(
  'a hung %s',
  (name) => {
    it('fails no request, and changes are taken once it goes on', async () => {
      const load = new Load(stack.functionUrl('aes'), connections);
      await untilMore(load);
      const pid = await stack.signal(name, 'SIGSTOP');
      try {
        await untilMore(load, 2_000);
        // An answer comes all the same, also where the API needs the hung process.
        expect((await stack.api.listFunctions()).status).toBeLessThan(600);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await untilMore(load);
      expect((await load.stop()).failures).toEqual([]);
      await stack.untilHealthy();
      await until('changes to be taken', async () => {
        return (await stack.api.createFunction({ service: `hung-${name}`, image: builtImage('aes') })).status === 202;
      });
      await stack.untilAvailable(`hung-${name}`);
      await stack.api.deleteFunction(`hung-${name}`);
    });
  },
);

describe('SIGKILL to Redis', () => {
  it('stops changes, not invocations, and loses nothing that was acknowledged', async () => {
    await stack.api.createSecret('kept', 'value');
    await stack.deploy({ service: 'kept', image: builtImage('probe'), secrets: ['kept'] });
    const load = new Load(stack.functionUrl('aes'), connections);
    await untilMore(load);
    const pid = await stack.signal('redis', 'SIGKILL');
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

describe('SIGKILL to everything at once', () => {
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

describe('SIGKILL to an instance', () => {
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

describe('down and up again', () => {
  it('brings back the functions and secrets that were deployed', async () => {
    await stack.api.createSecret('lasting', 'value');
    await stack.deploy({ service: 'lasting', image: builtImage('probe'), secrets: ['lasting'], envVars: { A: 'b' } });
    await stack.api.scaleFunction('aes', 0);
    await stack.untilAvailable('aes', 0);
    expect((await stack.junction('down')).status).toBe(0);
    expect((await stack.junction('up', '--no-example')).status).toBe(0);
    const status = await stack.untilAvailable('lasting', 1);
    expect(status).toMatchObject({ envVars: { A: 'b' }, secrets: ['lasting'] });
    const answer = await exchange(stack.functionUrl('lasting', '/about'), { method: 'GET' });
    expect(JSON.parse(answer.body.toString())).toMatchObject({ secrets: { lasting: 'value' } });
    expect(((await stack.api.getFunction('aes')).json() as FunctionStatus).replicas).toBe(0);
  });
});
