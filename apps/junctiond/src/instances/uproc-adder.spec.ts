// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';

import { ManualClock } from '../clock.fixture.js';
import { FakeHost, type FakeProcess } from './instance-host.fixture.js';
import { recordFixture } from './instance-record.fixture.js';
import { UprocAdder } from './uproc-adder.js';

const record = recordFixture({ state: 'ready' });
const guest = { ...record.guest, args: ['/worker'] };

let host: FakeHost;
let clock: ManualClock;
let adder: UprocAdder;

beforeEach(() => {
  host = new FakeHost();
  clock = new ManualClock();
  adder = new UprocAdder({ host, clock });
});

const add = (signal = new AbortController().signal): { added: Promise<number>; monitor: FakeProcess } => {
  const added = adder.add(record, guest, signal);
  const monitor = host.launched.at(-1);
  if (monitor === undefined) throw new Error('nothing was launched');
  return { added, monitor };
};
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a further uProc', () => {
  it('is there when its monitor says so', async () => {
    const { added, monitor } = add();
    adder.notify({ kind: 'uprocStarted', id: 'fn-1', monitorPid: monitor.pid + 1, pid: 7 });
    adder.notify({ kind: 'uprocStarted', id: 'fn-1', monitorPid: monitor.pid, pid: 8 });
    await expect(added).resolves.toBe(8);
    expect(host.calls).toEqual(['uproc fn-1 /worker', 'uproc started']);
    expect(monitor.signals).toEqual([]);
  });

  it('is let go of when it ends', async () => {
    const { added, monitor } = add();
    adder.notify({ kind: 'uprocStarted', id: 'fn-1', monitorPid: monitor.pid, pid: 8 });
    await added;
    monitor.end({ exitCode: 3 });
    await settle();
    expect(monitor.isClosed).toBe(true);
  });

  it.each([
    [127, 'invalid_argument'],
    [126, 'invalid_argument'],
    [125, 'failed_precondition'],
  ])('that cannot be started (%i) is %s, with the reason', async (exitCode, kind) => {
    const { added, monitor } = add();
    adder.notify({ kind: 'uprocExited', id: 'fn-1', monitorPid: monitor.pid, exitCode, error: 'that is why' });
    await expect(added).rejects.toMatchObject({ kind, message: 'no further uProc in instance fn-1: that is why' });
    expect(host.calls).toContain('uproc started');
  });

  it('whose monitor ends is waited for a little, since its report may come later', async () => {
    const { added, monitor } = add();
    monitor.end({ exitCode: 0 });
    await settle();
    adder.notify({ kind: 'uprocStarted', id: 'fn-1', monitorPid: monitor.pid, pid: 8 });
    await expect(added).resolves.toBe(8);
  });

  it('whose monitor ends without a word has failed', async () => {
    const { added, monitor } = add();
    monitor.end({ signal: 9 });
    await settle();
    clock.advance(2000);
    await expect(added).rejects.toMatchObject({ kind: 'failed_precondition' });
  });

  it('is ended when its caller has gone', async () => {
    const caller = new AbortController();
    const { added, monitor } = add(caller.signal);
    caller.abort();
    await expect(added).rejects.toMatchObject({ kind: 'deadline_exceeded' });
    expect(monitor.signals).toEqual([9]);
    await expect(adder.add(record, guest, caller.signal)).rejects.toMatchObject({ kind: 'deadline_exceeded' });
    expect(host.launched).toHaveLength(1);
  });

  it('goes on without us', () => {
    const { monitor } = add();
    adder.detach();
    expect(monitor.isClosed).toBe(true);
    expect(monitor.signals).toEqual([]);
  });
});
