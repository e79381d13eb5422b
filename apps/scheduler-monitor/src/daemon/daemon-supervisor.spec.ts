// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { until } from '@junctiond/testing';

import type { DaemonStats } from './daemon-stats.js';
import { type DaemonHost, type DaemonProcess, DaemonSupervisor } from './daemon-supervisor.js';

class FakeProcess implements DaemonProcess {
  isTerminated = false;
  readonly #ending = Promise.withResolvers<string>();

  constructor(readonly pid: number) {}

  wait(): Promise<string> {
    return this.#ending.promise;
  }

  end(how: string): void {
    this.#ending.resolve(how);
  }

  terminate(): void {
    this.isTerminated = true;
    this.end('exit code 0');
  }

  close(): void {
    // nothing is held
  }
}

class FakeHost implements DaemonHost {
  readonly spawned: FakeProcess[] = [];
  readonly delays: number[] = [];
  running: FakeProcess | undefined;
  failure: Error | undefined;
  time = 0;

  stats(): Promise<DaemonStats> {
    return this.running === undefined
      ? Promise.reject(new Error('nobody listens'))
      : Promise.resolve({ pid: this.running.pid } as DaemonStats);
  }

  spawn(): DaemonProcess {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    const started = new FakeProcess(100 + this.spawned.length);
    this.spawned.push(started);
    return started;
  }

  adopt(): DaemonProcess | undefined {
    return this.running;
  }

  restartDelayMs(attempt: number): number {
    return 10 * (attempt + 1);
  }

  sleep(ms: number): Promise<void> {
    this.delays.push(ms);
    return new Promise((resolve) => setImmediate(resolve));
  }

  now(): number {
    return this.time;
  }

  log(): void {
    // what is said is not what is tested
  }
}

describe('DaemonSupervisor', () => {
  it('starts a daemon and ends it with itself', async () => {
    const host = new FakeHost();
    const supervisor = new DaemonSupervisor(host);
    supervisor.start();
    await until('the daemon runs', () => supervisor.pid === 100);
    await supervisor.stop();
    expect(host.spawned[0]?.isTerminated).toBe(true);
    expect(host.spawned).toHaveLength(1);
    expect(supervisor.restarts).toBe(0);
  });

  it('starts a daemon again that ended, later each time it fails at once', async () => {
    const host = new FakeHost();
    const supervisor = new DaemonSupervisor(host);
    supervisor.start();
    for (const pid of [100, 101, 102]) {
      await until('the daemon runs', () => supervisor.pid === pid);
      host.spawned.at(-1)?.end('signal 9');
    }
    await until('the daemon runs', () => supervisor.pid === 103);
    expect(host.delays).toEqual([10, 20, 30]);
    expect(supervisor.restarts).toBe(3);
    await supervisor.stop();
  });

  it('starts a daemon that had run well again at once', async () => {
    const host = new FakeHost();
    const supervisor = new DaemonSupervisor(host);
    supervisor.start();
    await until('the daemon runs', () => supervisor.pid === 100);
    host.time = 60_000;
    host.spawned[0]?.end('signal 11');
    await until('the daemon runs', () => supervisor.pid === 101);
    expect(host.delays).toEqual([0]);
    await supervisor.stop();
  });

  it('adopts a daemon that answers instead of starting a second one', async () => {
    const host = new FakeHost();
    host.running = new FakeProcess(77);
    const supervisor = new DaemonSupervisor(host);
    supervisor.start();
    await until('the daemon runs', () => supervisor.pid === 77);
    expect(host.spawned).toHaveLength(0);
    host.running.end('ended');
    await until('the daemon runs', () => supervisor.pid === 100);
    await supervisor.stop();
  });

  it('goes on trying when a daemon cannot be started', async () => {
    const host = new FakeHost();
    host.failure = new Error('ENOENT');
    const supervisor = new DaemonSupervisor(host);
    supervisor.start();
    await until('two failed starts', () => host.delays.length >= 2);
    host.failure = undefined;
    await until('the daemon runs', () => supervisor.pid === 100);
    await supervisor.stop();
  });
});
