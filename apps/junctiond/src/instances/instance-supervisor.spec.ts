// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';

import type { Instance } from '@junctiond/instance-model';

import { ManualClock } from '../clock.fixture.js';
import { JunctiondError } from '../junctiond.error.js';
import { FakeHost, type FakeProcess } from './instance-host.fixture.js';
import type { NetworkSettings } from './instance-network.js';
import { networkFixture, recordFixture } from './instance-record.fixture.js';
import type { InstanceRecord } from './instance-record.js';
import { InstanceSupervisor } from './instance-supervisor.js';

const backoff = { baseMs: 200, maxMs: 30_000, stableMs: 10_000 };

let host: FakeHost;
let clock: ManualClock;
let seen: string[];
let supervisor: InstanceSupervisor;

function create(
  record: InstanceRecord = recordFixture(),
  network: NetworkSettings = networkFixture(),
): InstanceSupervisor {
  supervisor = new InstanceSupervisor(record, {
    host,
    clock,
    network,
    backoff,
    random: () => 1,
    observer: {
      changed: (instance: Instance) => seen.push(instance.state),
      deleted: () => seen.push('deleted'),
      launched: (isRestart) => seen.push(isRestart ? 'relaunched' : 'launched'),
      ready: (afterMs) => seen.push(`ready after ${afterMs}`),
      guestStarted: (_, guest) => seen.push(`guest ${guest.pid}`),
      guestGone: () => seen.push('guest gone'),
      trouble: (message) => seen.push(`trouble: ${message}`),
    },
  });
  return supervisor;
}

/** Lets everything happen that waits for nothing but the event loop. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const state = (): string => supervisor.instance.state;
const lastProcess = (): FakeProcess => {
  const process = host.launched.at(-1);
  if (process === undefined) throw new Error('nothing was launched');
  return process;
};
const listen = (port = 8080): void => {
  supervisor.guestListens(port, 40_000 + (port % 1000), lastProcess().pid);
};
const end = async (exit: { code?: number; signal?: number; outOfMemory?: boolean } = {}): Promise<void> => {
  const { code = 0, signal = 0, outOfMemory = false } = exit;
  host.statusNow = { exit: { code, signal, outOfMemory, at: new Date(clock.now()) } };
  lastProcess().end({ exitCode: code });
  await settle();
};

beforeEach(() => {
  host = new FakeHost();
  clock = new ManualClock();
  seen = [];
});

describe('a start', () => {
  it('is recorded on disk before the process is there', async () => {
    create();
    supervisor.start();
    expect(host.calls).toEqual(['prepare fn-1', 'launch fn-1']);
    expect(host.saved[0]).toMatchObject({ state: 'starting', startedAtMs: clock.now() });
    expect(supervisor.instance).toMatchObject({ state: 'starting', pid: 0, restarts: 0 });
  });

  it('ends in ready when the service port listens', async () => {
    create();
    supervisor.start();
    const guest = host.add();
    supervisor.guestStarted({ pid: guest.pid, startTimeTicks: 7n }, lastProcess().pid);
    expect(supervisor.instance.pid).toBe(guest.pid);
    clock.advance(5);
    listen(9090);
    expect(state()).toBe('starting');
    listen();
    expect(state()).toBe('ready');
    expect(seen).toContain('ready after 5');
    expect(supervisor.instance.ports).toEqual([
      { guestPort: 9090, host: '127.0.0.1', hostPort: 40_090 },
      { guestPort: 8080, host: '127.0.0.1', hostPort: 40_080 },
    ]);
    expect(supervisor.instance.readyAt?.getTime()).toBe(clock.now());
    expect(clock.pendingMs).toEqual([]);
  });

  it('with a NIC has its ports at an address of its own, and keeps address and links over the next junctiond', async () => {
    const withNic = networkFixture({ nic: { linksDir: '/run/s/links', links: 1, spinningKthreads: 0 } });
    create(recordFixture({ slot: 3 }), withNic);
    supervisor.start();
    const monitor = lastProcess();
    supervisor.guestStarted({ pid: host.add().pid, startTimeTicks: 7n }, monitor.pid);
    supervisor.guestListens(8080, 8080, monitor.pid);
    const nic = { ip: '10.62.0.5', linksPath: '/run/s/links/fn-1' };
    expect(supervisor.instance).toMatchObject({
      state: 'ready',
      network: nic,
      ports: [{ guestPort: 8080, host: '10.62.0.5', hostPort: 8080 }],
    });

    const { record } = supervisor;
    supervisor.detach();
    host.portsNow = [{ guestPort: 8080, hostPort: 8080 }];
    create(record, networkFixture({ range4: '10.99.0.0/16' }));
    await supervisor.adopt({ pid: monitor.pid, startTimeTicks: 7n });
    expect(supervisor.instance).toMatchObject({
      state: 'ready',
      network: nic,
      ports: [{ guestPort: 8080, host: '10.62.0.5', hostPort: 8080 }],
    });
  });

  it('that cannot be made ends in failed with the reason', async () => {
    host.launchError = new Error('spawn junction_run ENOENT');
    create();
    supervisor.start();
    expect(supervisor.instance).toMatchObject({
      state: 'failed',
      reason: 'could not be started: spawn junction_run ENOENT',
      lastFailure: { reason: 'could not be started: spawn junction_run ENOENT', at: new Date(clock.now()) },
    });
    host.launchError = undefined;
    host.prepareError = new Error('disk full');
    supervisor.start();
    expect(supervisor.instance).toMatchObject({ state: 'failed', reason: 'could not be started: disk full' });
  });

  it('is refused while there is a process', async () => {
    create();
    supervisor.start();
    expect(() => supervisor.start()).toThrow(JunctiondError);
    listen();
    expect(() => supervisor.start()).toThrow(JunctiondError);
  });

  it('ignores reports of an earlier run', async () => {
    create();
    supervisor.start();
    supervisor.guestListens(8080, 4000, 99);
    supervisor.guestStarted({ pid: 1, startTimeTicks: 1n }, 99);
    expect(supervisor.instance).toMatchObject({ state: 'starting', pid: 0, ports: [] });
  });

  it('finds a port whose report was lost', async () => {
    create();
    supervisor.start();
    host.portsNow = [{ guestPort: 8080, hostPort: 41_000 }];
    clock.advance(2000);
    expect(supervisor.instance).toMatchObject({ state: 'ready', ports: [{ guestPort: 8080, hostPort: 41_000 }] });
  });

  it('goes back to starting when the port is closed', async () => {
    create();
    supervisor.start();
    listen();
    supervisor.guestClosed(8080, lastProcess().pid);
    expect(supervisor.instance).toMatchObject({ state: 'starting', ports: [] });
    listen();
    expect(state()).toBe('ready');
  });
});

describe('an instance that does not listen in time', () => {
  it('fails with a reason that shows its output and where it listens', async () => {
    host.output = ['line 1', 'bad \u001b[31mconfig'];
    create();
    supervisor.start();
    listen(3000);
    clock.advance(59_999);
    expect(state()).toBe('starting');
    clock.advance(1);
    await settle();
    expect(state()).toBe('stopping');
    clock.advance(0);
    expect(lastProcess().signals).toEqual([9]);
    await end({ signal: 9 });
    expect(supervisor.instance).toMatchObject({
      state: 'failed',
      reason: 'did not listen on port 8080 within 60 s (it listens on 3000); last output: line 1 | bad  [31mconfig',
      lastExit: { signal: 9 },
    });
    expect(clock.pendingMs).toEqual([]);
  });

  it('kills the guest first, so that junction_run can record the end', async () => {
    create(recordFixture({ spec: { ...recordFixture().spec, listenDeadlineMs: 100 } }));
    supervisor.start();
    const guest = host.add();
    supervisor.guestStarted({ pid: guest.pid, startTimeTicks: 7n }, lastProcess().pid);
    clock.advance(100);
    await settle();
    clock.advance(0);
    expect(guest.signals).toEqual([9]);
    expect(lastProcess().signals).toEqual([]);
    clock.advance(2000);
    expect(lastProcess().signals).toEqual([9]);
  });

  it('is restarted if it was ready once', async () => {
    create();
    supervisor.start();
    listen();
    supervisor.guestClosed(8080, lastProcess().pid);
    clock.advance(60_000);
    await settle();
    clock.advance(0);
    await end({ signal: 9 });
    expect(supervisor.instance).toMatchObject({
      state: 'backingOff',
      reason: expect.stringContaining('did not listen'),
    });
  });
});

describe('an end that nobody asked for', () => {
  it('leads to a restart with back-off that grows, and is forgotten after a stable time', async () => {
    host.output = ['panic: boom'];
    create();
    supervisor.start();
    await end({ code: 2 });
    expect(supervisor.instance).toMatchObject({
      state: 'backingOff',
      reason: 'exited with code 2 0 s after its start; restarts in 0.2 s; last output: panic: boom',
      lastExit: { code: 2 },
      pid: 0,
    });
    clock.advance(199);
    expect(state()).toBe('backingOff');
    clock.advance(1);
    await settle();
    expect(supervisor.instance).toMatchObject({ state: 'starting', restarts: 1, reason: '' });
    await end({ signal: 11 });
    expect(supervisor.instance.reason).toContain(
      'killed by SIGSEGV 0 s after its start; restarts in 0.4 s (ended 2 times in a row)',
    );
    clock.advance(400);
    await settle();
    listen();
    clock.advance(10_000);
    await end({ code: 1 });
    expect(supervisor.instance.reason).toContain('exited with code 1 10 s after its start; restarts in 0.2 s;');
    expect(seen.filter((event) => event === 'relaunched')).toHaveLength(2);
  });

  it('is remembered when it runs again, but an end that was asked for is not one', async () => {
    host.output = ['panic: boom'];
    create();
    supervisor.start();
    await end({ code: 2 });
    const lastFailure = {
      reason: 'exited with code 2 0 s after its start; last output: panic: boom',
      at: new Date(clock.now()),
    };
    clock.advance(200);
    listen();
    expect(supervisor.instance).toMatchObject({ state: 'ready', reason: '', lastFailure });
    clock.advance(1000);
    void supervisor.stop(1000);
    await end({ code: 0 });
    expect(supervisor.instance).toMatchObject({ state: 'exited', lastFailure });
  });

  it('takes its ports away at once', async () => {
    create();
    supervisor.start();
    listen();
    await end();
    expect(supervisor.instance).toMatchObject({ state: 'backingOff', ports: [] });
    expect(seen).toContain('guest gone');
  });

  it('names the memory limit', async () => {
    create();
    supervisor.start();
    await end({ signal: 9, outOfMemory: true });
    expect(supervisor.instance.reason).toContain('memory limit');
    expect(supervisor.instance.lastExit?.outOfMemory).toBe(true);
  });

  it('is final when the policy says so', async () => {
    create(recordFixture({ spec: { ...recordFixture().spec, restart: 'never' } }));
    supervisor.start();
    await end({ code: 3 });
    expect(supervisor.instance).toMatchObject({ state: 'exited', reason: expect.stringContaining('code 3') });
    expect(clock.pendingMs).toEqual([]);
  });

  it('by junction_run’s own failure fails what never worked, and restarts what did', async () => {
    create();
    supervisor.start();
    host.statusNow = { error: 'no such program: /server' };
    lastProcess().end({ exitCode: 125 });
    await settle();
    expect(supervisor.instance).toMatchObject({
      state: 'failed',
      reason: 'could not be started: no such program: /server',
    });

    host.statusNow = undefined;
    supervisor.start();
    listen();
    lastProcess().end({ exitCode: 125 });
    await settle();
    expect(supervisor.instance).toMatchObject({ state: 'backingOff', lastExit: { code: 125 } });
  });

  it('of a killed junction_run is told from its own end', async () => {
    create();
    supervisor.start();
    host.statusNow = { guest: { pid: 1, startTimeTicks: 1n } };
    lastProcess().end({ signal: 9 });
    await settle();
    expect(supervisor.instance).toMatchObject({ state: 'backingOff', lastExit: { signal: 9 } });
  });
});

describe('a stop', () => {
  it('sends SIGTERM and waits for the end', async () => {
    create();
    supervisor.start();
    listen();
    const stopped = supervisor.stop(30_000);
    await settle();
    expect(state()).toBe('stopping');
    expect(lastProcess().signals).toEqual([15]);
    await end();
    await stopped;
    expect(supervisor.instance).toMatchObject({ state: 'exited', reason: '', lastExit: { code: 0 } });
    expect(clock.pendingMs).toEqual([]);
  });

  it('kills after the grace period, which a second call can shorten', async () => {
    create();
    supervisor.start();
    const first = supervisor.stop(30_000);
    await settle();
    clock.advance(1000);
    const second = supervisor.stop(500);
    await settle();
    void supervisor.stop(90_000);
    await settle();
    clock.advance(499);
    expect(lastProcess().signals).toEqual([15]);
    clock.advance(1);
    clock.advance(0);
    expect(lastProcess().signals).toEqual([15, 9]);
    await end({ signal: 9 });
    await Promise.all([first, second]);
    expect(state()).toBe('exited');
  });

  it('cancels a restart that is due', async () => {
    create();
    supervisor.start();
    await end({ code: 1 });
    await supervisor.stop(0);
    clock.advance(60_000);
    await settle();
    expect(state()).toBe('exited');
    expect(host.launched).toHaveLength(1);
  });

  it('of an instance without a process changes at most its state', async () => {
    create();
    await supervisor.stop(0);
    expect(state()).toBe('exited');
    await supervisor.stop(0);
    expect(state()).toBe('exited');
    expect(host.launched).toEqual([]);
  });

  it('can be followed by a start', async () => {
    create();
    supervisor.start();
    const stopped = supervisor.stop(0);
    await settle();
    expect(() => supervisor.start()).toThrow(JunctiondError);
    await end();
    await stopped;
    supervisor.start();
    expect(supervisor.instance).toMatchObject({ state: 'starting', restarts: 0 });
  });
});

describe('a deletion', () => {
  it('is refused while it runs, unless forced', async () => {
    create();
    supervisor.start();
    await expect(supervisor.delete({ force: false, graceMs: 0 })).rejects.toMatchObject({
      kind: 'failed_precondition',
    });
    const deleted = supervisor.delete({ force: true, graceMs: 1000 });
    const again = supervisor.delete({ force: true, graceMs: 0 });
    await settle();
    expect(host.saved.at(-1)).toMatchObject({ isDeleting: true });
    expect(() => supervisor.start()).toThrow(JunctiondError);
    await end();
    await Promise.all([deleted, again]);
    expect(host.calls.filter((call) => call.startsWith('remove'))).toEqual(['remove fn-1']);
    expect(seen.at(-1)).toBe('deleted');
    expect(supervisor.goneSignal.aborted).toBe(true);
  });

  it('that fails can be tried again', async () => {
    create();
    host.removeError = new Error('busy');
    await expect(supervisor.delete({ force: false, graceMs: 0 })).rejects.toThrow('busy');
    host.removeError = undefined;
    await supervisor.delete({ force: false, graceMs: 0 });
    expect(seen.at(-1)).toBe('deleted');
  });

  it('removes what never ran', async () => {
    create();
    await supervisor.delete({ force: false, graceMs: 0 });
    expect(host.calls).toEqual(['remove fn-1']);
  });
});

describe('a core limit', () => {
  it('is kept and put into force where there is a process', async () => {
    create();
    supervisor.setCoreLimit(4);
    expect(host.calls).toEqual([]);
    expect(supervisor.instance).toMatchObject({ spec: { coreLimit: 4 }, network: { queuePairs: 4 } });
    supervisor.start();
    const { pid } = lastProcess();
    supervisor.guestStarted({ pid: host.add().pid, startTimeTicks: 7n }, pid);
    expect(host.calls).not.toContain('cores 4');
    supervisor.setCoreLimit(3);
    supervisor.setCoreLimit(3);
    expect(host.calls.filter((call) => call.startsWith('cores'))).toEqual(['cores 3']);
    expect(host.saved.at(-1)?.spec.coreLimit).toBe(3);
  });

  it('that changes before there is a guest waits for it', () => {
    create();
    supervisor.start();
    supervisor.setCoreLimit(4);
    expect(host.calls).not.toContain('cores 4');
    supervisor.guestStarted({ pid: host.add().pid, startTimeTicks: 7n }, lastProcess().pid);
    expect(host.calls.at(-1)).toBe('cores 4');
  });
});

describe('adoption', () => {
  const running = (change: Partial<InstanceRecord> = {}): { record: InstanceRecord; monitor: FakeProcess } => {
    const monitor = host.add();
    host.launched.push(monitor);
    host.statusNow = { guest: { pid: host.add().pid, startTimeTicks: 7n } };
    return { monitor, record: recordFixture({ state: 'starting', startedAtMs: clock.now() - 50_000, ...change }) };
  };
  const idOf = (process: FakeProcess): { pid: number; startTimeTicks: bigint } => ({
    pid: process.pid,
    startTimeTicks: 7n,
  });

  it('goes on with a ready instance without touching it', async () => {
    const { record, monitor } = running({ state: 'ready', readyAtMs: 1 });
    host.portsNow = [{ guestPort: 8080, hostPort: 41_000 }];
    create(record);
    await supervisor.adopt(idOf(monitor));
    expect(supervisor.instance).toMatchObject({ state: 'ready', ports: [{ hostPort: 41_000 }], restarts: 0 });
    expect(supervisor.instance.pid).toBeGreaterThan(0);
    expect(monitor.signals).toEqual([]);
    await end({ code: 1 });
    expect(state()).toBe('backingOff');
  });

  it('sees that an instance became ready meanwhile, or that it has what is left of its deadline', async () => {
    const first = running();
    host.portsNow = [{ guestPort: 8080, hostPort: 41_000 }];
    create(first.record);
    await supervisor.adopt(idOf(first.monitor));
    expect(state()).toBe('ready');

    const second = running();
    host.portsNow = [];
    create(second.record);
    await supervisor.adopt(idOf(second.monitor));
    expect(state()).toBe('starting');
    clock.advance(9_999);
    await settle();
    expect(state()).toBe('starting');
    clock.advance(1);
    await settle();
    expect(state()).toBe('stopping');
  });

  it('sees that an instance stopped listening meanwhile', async () => {
    const { record, monitor } = running({ state: 'ready', readyAtMs: 1 });
    create(record);
    await supervisor.adopt(idOf(monitor));
    expect(supervisor.instance).toMatchObject({ state: 'starting', ports: [] });
    expect(clock.pendingMs).toContain(60_000);
  });

  it('handles what died meanwhile by its policy, with its exit', async () => {
    host.statusNow = { exit: { code: 7, signal: 0, outOfMemory: false, at: new Date(clock.now() - 1000) } };
    create(recordFixture({ state: 'ready', startedAtMs: clock.now() - 2000, readyAtMs: 1 }));
    await supervisor.adopt(undefined);
    expect(supervisor.instance).toMatchObject({ state: 'backingOff', lastExit: { code: 7 } });
    expect(supervisor.instance.reason).toContain('exited with code 7 1 s after its start');
    clock.advance(200);
    await settle();
    expect(state()).toBe('starting');
  });

  it('starts again what ended with the host', async () => {
    create(recordFixture({ state: 'ready', startedAtMs: 1, readyAtMs: 2, failures: 9 }));
    await supervisor.adopt(undefined);
    expect(supervisor.instance).toMatchObject({
      state: 'backingOff',
      reason: expect.stringContaining('host was restarted'),
    });
    clock.advance(200);
    await settle();
    expect(state()).toBe('starting');
  });

  it('finishes a stop and a deletion that had begun', async () => {
    const { record, monitor } = running({ state: 'stopping', stopCause: 'asked' });
    create(record);
    await supervisor.adopt(idOf(monitor));
    expect(monitor.signals).toEqual([15]);
    await end();
    expect(state()).toBe('exited');

    create(recordFixture({ state: 'ready', isDeleting: true }));
    await supervisor.adopt(undefined);
    await settle();
    expect(host.calls).toContain('remove fn-1');
  });

  it('leaves states without a process as they are, and restarts what waited for it', async () => {
    for (const kept of ['created', 'exited', 'failed'] as const) {
      create(recordFixture({ state: kept, reason: 'why' }));
      await supervisor.adopt(undefined);
      expect(supervisor.instance).toMatchObject({ state: kept, reason: 'why' });
    }
    create(recordFixture({ state: 'backingOff', failures: 2 }));
    await supervisor.adopt(undefined);
    clock.advance(400);
    await settle();
    expect(state()).toBe('starting');
  });
});

describe('detach', () => {
  it('forgets timers and processes and leaves the instance alone', async () => {
    create();
    supervisor.start();
    const process = lastProcess();
    supervisor.detach();
    expect(clock.pendingMs).toEqual([]);
    expect(process.isClosed).toBe(true);
    expect(process.signals).toEqual([]);
    const saves = host.saved.length;
    process.end({ exitCode: 0 });
    await settle();
    expect(host.saved).toHaveLength(saves);
  });
});
