// SPDX-License-Identifier: Apache-2.0
// ./junction up, again, status, logs and down: what a user sees, and that nothing is left.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange } from '@junctiond/testing';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { encryptedHex } from './stack/aes.js';
import { type CommandResult, type StackStatus, TestStack, stackTimeoutMs } from './stack/test-stack.js';

let stack: TestStack;
let first: CommandResult;
let before: HostTraces;

/** What a stack might leave on the host. */
interface HostTraces {
  readonly mounts: readonly string[];
  readonly sharedMemory: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
}

function hostTraces(): HostTraces {
  const settings = ['/sys/module/haltpoll/parameters/guest_halt_poll_ns', '/proc/sys/net/ipv4/ip_forward'];
  return {
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes('junction')),
    sharedMemory: readdirSync('/dev/shm').filter((name) => name.includes('junction')),
    settings: Object.fromEntries(
      settings.filter((file) => existsSync(file)).map((file) => [file, readFileSync(file, 'utf8')]),
    ),
  };
}

/** Processes whose environment names the stack. */
function processesOf(name: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(join('/proc', pid, 'environ'), 'latin1')
          .split('\0')
          .includes(`JUNCTION_STACK=${name}`);
      } catch {
        return false; // it has ended meanwhile
      }
    });
}

function cgroupsOf(name: string): string[] {
  const root = '/sys/fs/cgroup';
  const places = [root, ...readdirSync(root).map((entry) => join(root, entry))];
  return places.map((place) => join(place, `junctiond-${name}`)).filter((folder) => existsSync(folder));
}

beforeAll(async () => {
  before = hostTraces();
  stack = await TestStack.plan();
  first = await stack.junction('up');
}, stackTimeoutMs);
afterAll(async () => {
  await stack.junction('down', '--purge');
});

describe('./junction', () => {
  it('up deploys and invokes the AES function, and prints where everything is', async () => {
    expect(first).toMatchObject({ status: 0 });
    const text = first.stdout + first.stderr;
    expect(text).toContain(stack.gatewayUrl);
    expect(text).toContain(stack.paths.basicAuthPasswordFile);
    expect(text).toMatch(/p50/);
    expect(text).toMatch(/p99/);
    const answer = await exchange(stack.functionUrl('aes'), { body: 'hello' });
    expect(answer.body.toString()).toBe(encryptedHex('hello'));
  });

  it('keeps the credentials to their owner', () => {
    expect(statSync(stack.paths.basicAuthPasswordFile).mode & 0o777).toBe(0o600);
    expect(stack.credentials.password.length).toBeGreaterThanOrEqual(16);
    expect(first.stdout + first.stderr).not.toContain(stack.credentials.password);
  });

  it('up once more changes nothing', async () => {
    const pids = (status: StackStatus) => status.processes.map(({ name, pid }) => `${name} ${pid}`).toSorted();
    const earlier = await stack.status();
    const { password } = stack.credentials;
    expect((await stack.junction('up')).status).toBe(0);
    const later = await stack.status();
    expect(pids(later)).toEqual(pids(earlier));
    expect(later.instances.map(({ pid }) => pid)).toEqual(earlier.instances.map(({ pid }) => pid));
    expect(stack.credentials.password).toBe(password);
  });

  it('status tells what runs, for people and for programs', async () => {
    const { processes, instances } = await stack.status();
    const names = processes.map(({ name }) => name);
    for (const name of ['gateway', 'provider', 'junctiond', 'scheduler-monitor', 'redis'])
      expect(names).toContain(name);
    for (const { rssBytes } of processes) expect(rssBytes).toBeGreaterThan(0);
    expect(instances).toHaveLength(1);
    expect((await stack.junction('status')).stdout).toContain('gateway');
  });

  it('logs shows those of the apps and of a function', async () => {
    expect(await stack.junction('logs', 'gateway')).toMatchObject({ status: 0, stdout: expect.stringMatching(/./) });
    expect(await stack.junction('logs', 'no-such-thing')).toMatchObject({ status: expect.not.stringMatching('0') });
  });

  it('doctor tells what the machine offers', async () => {
    const result = await stack.junction('doctor');
    expect(result.stdout).toMatch(/seccomp/i);
  });

  it.each(['up', 'down', 'status', 'logs', 'bench', 'doctor', 'test'])('%s has help', async (command) => {
    const result = await stack.junction(command, '--help');
    expect(result).toMatchObject({ status: 0, stdout: expect.stringMatching(/usage/i) });
  });

  it('refuses an unknown command', async () => {
    const result = await stack.junction('no-such-command');
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain('no-such-command');
  });

  it('down leaves nothing behind', async () => {
    expect((await stack.junction('down')).status).toBe(0);
    expect(processesOf(stack.name)).toEqual([]);
    expect(cgroupsOf(stack.name)).toEqual([]);
    expect(existsSync(stack.paths.runDir)).toBe(false);
    const after = hostTraces();
    const own = (lines: readonly string[]) => lines.filter((line) => line.includes(stack.name));
    expect(own(after.mounts)).toEqual([]);
    expect(own(after.sharedMemory)).toEqual([]);
    expect(after.settings).toEqual(before.settings);
    await expect(exchange(`${stack.gatewayUrl}/healthz`, { method: 'GET' })).rejects.toThrow();
  });

  it('down once more has nothing to do', async () => {
    expect((await stack.junction('down')).status).toBe(0);
  });

  it('down --purge removes the state too', async () => {
    expect(existsSync(stack.paths.stateDir)).toBe(true);
    expect((await stack.junction('down', '--purge')).status).toBe(0);
    expect(existsSync(stack.paths.stateDir)).toBe(false);
  });
});
