// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import type { AppSpec } from './app-spec.ts';
import { SupervisedApp } from './supervised-app.ts';
import type { Child, Host } from './supervised-app.ts';

const spec: AppSpec = {
  name: 'app',
  command: 'node',
  args: [],
  env: {},
  cwd: '/',
  logFile: '/dev/null',
  stopTimeoutMs: 500,
  build: 'a',
};

interface FakeChild extends Child {
  readonly signals: string[];
  end(code: number | null, signal?: string): Promise<void>;
}

class FakeHost implements Host {
  time = 0;
  readonly children: FakeChild[] = [];
  readonly specs: AppSpec[] = [];
  readonly pids: number[] = [];
  timers: { at: number; work: () => void }[] = [];

  start(started: AppSpec): Child {
    const { promise, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const signals: string[] = [];
    const child: FakeChild = {
      pid: 100 + this.children.length,
      ended: promise,
      signals,
      kill: (signal) => signals.push(signal),
      end: async (code, signal) => {
        resolve({ code, signal: signal ?? null });
        await promise;
        await Promise.resolve();
      },
    };
    this.specs.push(started);
    this.children.push(child);
    return child;
  }

  now(): number {
    return this.time;
  }

  later(ms: number, work: () => void): () => void {
    const timer = { at: this.time + ms, work };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  recordPid(_name: string, pid: number): void {
    this.pids.push(pid);
  }

  advance(ms: number): void {
    this.time += ms;
    const due = this.timers.filter((timer) => timer.at <= this.time);
    this.timers = this.timers.filter((timer) => timer.at > this.time);
    for (const timer of due) timer.work();
  }

  get last(): FakeChild {
    return this.children.at(-1)!;
  }
}

function started(): { host: FakeHost; app: SupervisedApp } {
  const host = new FakeHost();
  const app = new SupervisedApp(spec, host);
  app.start();
  return { host, app };
}

describe('SupervisedApp', () => {
  it('starts a killed program again after 100 ms and counts it', async () => {
    const { host, app } = started();
    await host.last.end(null, 'SIGKILL');
    expect(app.status()).toMatchObject({ state: 'backing-off', pid: 0, lastExit: 'SIGKILL' });
    host.advance(99);
    expect(host.children).toHaveLength(1);
    host.advance(1);
    expect(app.status()).toMatchObject({ state: 'running', pid: 101, restarts: 1 });
    expect(host.pids).toEqual([100, 0, 101]);
  });

  it('waits twice as long each time, at most 10 s', async () => {
    const { host } = started();
    const waits: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      await host.last.end(1);
      const wait = host.timers[0]!.at - host.time;
      waits.push(wait);
      host.advance(wait);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  });

  it('begins with 100 ms again once the program ran for 10 s', async () => {
    const { host } = started();
    await host.last.end(1);
    host.advance(100);
    await host.last.end(1);
    host.advance(200);
    host.advance(10_000);
    await host.last.end(1);
    expect(host.timers[0]!.at - host.time).toBe(100);
  });

  it('does not restart a program that reports faults of its configuration', async () => {
    const { host, app } = started();
    await host.last.end(78);
    expect(app.status()).toMatchObject({ state: 'failed', lastExit: 'status 78' });
    expect(host.timers).toEqual([]);
  });

  it('stops with SIGTERM and stays stopped', async () => {
    const { host, app } = started();
    const stopping = app.stop();
    expect(host.last.signals).toEqual(['SIGTERM']);
    await host.last.end(0);
    await stopping;
    expect(app.status().state).toBe('stopped');
    expect(host.timers).toEqual([]);
  });

  it('kills what does not stop in time', async () => {
    const { host, app } = started();
    const stopping = app.stop();
    host.advance(500);
    expect(host.last.signals).toEqual(['SIGTERM', 'SIGKILL']);
    await host.last.end(null, 'SIGKILL');
    await stopping;
  });

  it('stop calls a pending restart off', async () => {
    const { host, app } = started();
    await host.last.end(1);
    await app.stop();
    host.advance(60_000);
    expect(host.children).toHaveLength(1);
  });

  it('replace stops the old program before it starts the new one', async () => {
    const { host, app } = started();
    const replacing = app.replace({ ...spec, build: 'b' });
    expect(host.children).toHaveLength(1);
    await host.last.end(0);
    await replacing;
    expect(host.specs.map((other) => other.build)).toEqual(['a', 'b']);
    expect(app.status()).toMatchObject({ state: 'running', build: 'b' });
  });
});
