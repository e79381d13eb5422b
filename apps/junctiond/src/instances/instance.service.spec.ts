// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';

import { IndexPool, type InstanceRequest } from '@junctiond/instance-model';

import { ManualClock } from '../clock.fixture.js';
import type { ImageLease } from '../images/image.service.js';
import { JunctiondError } from '../junctiond.error.js';
import { GuestProcesses } from './guest-process.js';
import { FakeHost } from './instance-host.fixture.js';
import { networkFixture, recordFixture } from './instance-record.fixture.js';
import type { InstanceRecord } from './instance-record.js';
import { InstanceService, type NodeFindings, type NodeHost } from './instance.service.js';
import type { Secrets } from './secrets-folder.js';

const network = networkFixture({ range4: '10.62.0.0/29' });

/** The fake host with what the service needs on top. */
class FakeNodeHost extends FakeHost implements NodeHost {
  readonly secretsOf = new Map<string, Secrets>();

  create(record: InstanceRecord): void {
    this.calls.push(`create ${record.spec.id}`);
    if (this.createError !== undefined) throw this.createError;
  }

  writeSecrets(record: InstanceRecord, secrets: Secrets): void {
    this.secretsOf.set(record.spec.id, secrets);
  }

  removeLeftovers(id: string): Promise<void> {
    this.calls.push(`leftovers ${id}`);
    return Promise.resolve();
  }

  createError: Error | undefined;
}

const rootfsDir = mkdtempSync(join(tmpdir(), 'instance-service-'));
afterAll(() => {
  rmSync(rootfsDir, { recursive: true });
});

let host: FakeNodeHost;
let clock: ManualClock;
let slots: IndexPool;
let leases: string[];
let troubles: string[];
let service: InstanceService;
let imageError: Error | undefined;

const leaseOf = (digest: string): ImageLease => {
  leases.push(digest);
  return {
    digest,
    rootfsDir,
    config: { entrypoint: ['/server'], cmd: [], env: {}, user: '', workingDir: '', exposedPorts: [] },
    release: () => {
      leases.splice(leases.indexOf(digest), 1);
    },
  };
};

beforeEach(() => {
  host = new FakeNodeHost();
  clock = new ManualClock();
  slots = new IndexPool(network.range.capacity);
  leases = [];
  troubles = [];
  imageError = undefined;
  service = new InstanceService({
    host,
    clock,
    slots,
    network,
    random: () => 0,
    guests: new GuestProcesses(),
    backoff: { baseMs: 200, maxMs: 30_000, stableMs: 10_000 },
    images: {
      acquire: () => (imageError === undefined ? Promise.resolve(leaseOf('sha256:a')) : Promise.reject(imageError)),
      hold: (digest) => (digest === 'sha256:gone' ? undefined : leaseOf(digest)),
    },
    limits: {
      defaultCoreLimit: 1,
      maxCoreLimit: 4,
      defaultMemoryBytes: 1n << 29n,
      defaultPids: 100,
      defaultListenDeadlineMs: 60_000,
      defaultGracePeriodMs: 30_000,
    },
    observer: {
      changed: () => undefined,
      deleted: () => undefined,
      launched: () => undefined,
      ready: () => undefined,
      guestStarted: () => undefined,
      guestGone: () => undefined,
      trouble: (message) => troubles.push(message),
    },
  });
});

const request = (id: string, change: Partial<InstanceRequest> = {}): InstanceRequest => ({
  ...recordFixture().spec,
  id,
  hostname: '',
  secrets: {},
  ...change,
});
const create = (id: string, change: Partial<InstanceRequest> = {}): ReturnType<InstanceService['create']> =>
  service.create(request(id, change), { leaveStopped: false });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('create', () => {
  it('answers as soon as the process is started', async () => {
    const instance = await create('a');
    expect(instance).toMatchObject({ state: 'starting', imageDigest: 'sha256:a', network: { ip: '10.62.0.2' } });
    expect(host.calls).toEqual(['create a', 'prepare a', 'launch a']);
    expect(service.get('a')).toEqual(instance);
    expect(leases).toEqual(['sha256:a']);
  });

  it('can leave it stopped', async () => {
    const instance = await service.create(request('a'), { leaveStopped: true });
    expect(instance.state).toBe('created');
    expect(host.saved.at(-1)?.state).toBe('created');
    expect(host.launched).toEqual([]);
    expect(service.start('a')).toMatchObject({ state: 'starting' });
  });

  it('names all faults at once and takes nothing', async () => {
    await expect(create('A', { servicePort: 70_000 })).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringMatching(/id: .*; service_port: /),
    });
    expect([leases, slots.taken]).toEqual([[], 0]);
  });

  it('makes an id once, also when two ask at the same time', async () => {
    const both = await Promise.allSettled([create('a'), create('a')]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(create('a')).rejects.toMatchObject({ kind: 'already_exists' });
    expect(host.launched).toHaveLength(1);
  });

  it('gives everything back when it fails', async () => {
    imageError = new JunctiondError('not_found', 'no such image');
    await expect(create('a')).rejects.toMatchObject({ kind: 'not_found' });
    imageError = undefined;
    host.createError = new Error('disk full');
    await expect(create('a')).rejects.toThrow('disk full');
    expect(host.calls.at(-1)).toBe('leftovers a');
    host.createError = undefined;
    await expect(create('a', { uproc: { args: [], env: {}, cwd: '', user: 'nobody' } })).rejects.toMatchObject({
      kind: 'invalid_argument',
    });
    expect([leases, slots.taken, service.list({})]).toEqual([[], 0, []]);
    await expect(create('a')).resolves.toMatchObject({ state: 'starting' });
  });

  it('refuses one more than there are addresses', async () => {
    for (let index = 0; index < network.range.capacity; index += 1) await create(`i${index}`);
    await expect(create('more')).rejects.toMatchObject({ kind: 'resource_exhausted' });
    expect(leases).toHaveLength(network.range.capacity);
  });

  it('keeps secrets out of the record and out of every answer', async () => {
    const instance = await create('a', { secrets: { key: Buffer.from('hush') } });
    expect(host.secretsOf.get('a')).toEqual({ key: Buffer.from('hush') });
    expect(instance.spec).not.toHaveProperty('secrets');
    expect(host.saved.every((record) => !('secrets' in record.spec))).toBe(true);
    expect(host.saved.at(-1)?.hasSecrets).toBe(true);
  });
});

describe('the verbs for one instance', () => {
  it('know no instance that is not there', async () => {
    const missing = { kind: 'not_found' };
    expect(() => service.start('x')).toThrow('there is no instance "x"');
    await expect(service.stop('x', 0)).rejects.toMatchObject(missing);
    await expect(service.delete('x', { force: true, graceMs: 0 })).rejects.toMatchObject(missing);
    expect(() => service.setCoreLimit('x', 1)).toThrow('there is no instance "x"');
    expect(() => service.updateSecrets('x', {})).toThrow('there is no instance "x"');
    expect(() => service.get('x')).toThrow('there is no instance "x"');
  });

  it('stop within the grace period of the instance unless told otherwise', async () => {
    await create('a', { gracePeriodMs: 5000 });
    const stopped = service.stop('a', 0);
    await settle();
    expect(clock.pendingMs).toContain(5000);
    host.launched[0]?.end({ exitCode: 0 });
    await expect(stopped).resolves.toMatchObject({ state: 'exited' });
  });

  it('give everything back with a deletion', async () => {
    await create('a');
    const deleted = service.delete('a', { force: true, graceMs: 1 });
    await settle();
    host.launched[0]?.end({ signal: 15 });
    await deleted;
    expect([leases, slots.taken, service.list({})]).toEqual([[], 0, []]);
    expect(host.calls.at(-1)).toBe('remove a');
  });

  it('lower a core limit to the node’s cores and refuse none', async () => {
    await create('a');
    expect(service.setCoreLimit('a', 64)).toMatchObject({ spec: { coreLimit: 4 } });
    expect(() => service.setCoreLimit('a', 0)).toThrow('at least 1');
  });

  it('update secrets only where there is a folder for them', async () => {
    await create('a', { secrets: { key: Buffer.from('1') } });
    await create('b');
    service.updateSecrets('a', { other: Buffer.from('2') });
    expect(Object.keys(host.secretsOf.get('a') ?? {})).toEqual(['other']);
    expect(() => service.updateSecrets('a', { '../x': Buffer.from('2') })).toThrow('is not a file name');
    expect(() => service.updateSecrets('b', {})).toThrow('created without secrets');
  });
});

describe('reports', () => {
  it('reach their instance, and those of unknown ones nobody', async () => {
    await create('a');
    const monitorPid = host.launched[0]?.pid ?? 0;
    service.notify({ kind: 'started', id: 'a', guest: { pid: 5, startTimeTicks: 1n }, monitorPid });
    service.notify({ kind: 'listening', id: 'a', guestPort: 8080, hostPort: 4000, monitorPid });
    service.notify({ kind: 'listening', id: 'x', guestPort: 8080, hostPort: 4000 });
    expect(service.get('a')).toMatchObject({ state: 'ready', pid: 5 });
    service.notify({ kind: 'closed', id: 'a', guestPort: 8080, monitorPid });
    expect(service.get('a').state).toBe('starting');
  });
});

describe('watch', () => {
  it('gives a snapshot first, then each change that the labels ask for', async () => {
    await create('a', { labels: { function: 'f' } });
    await create('b', { labels: { function: 'g' } });
    const stop = new AbortController();
    const changes = service.watch({ function: 'f' }, stop.signal);
    const first = await changes.next();
    expect(first.value).toMatchObject({ kind: 'snapshot', instances: [{ spec: { id: 'a' } }] });
    await create('c', { labels: { function: 'f', more: 'x' } });
    service.notify({ kind: 'listening', id: 'b', guestPort: 8080, hostPort: 4000 });
    service.notify({ kind: 'listening', id: 'a', guestPort: 8080, hostPort: 4000 });
    const seen: string[] = [];
    for (let index = 0; index < 2; index += 1) {
      const { value } = (await changes.next()) as {
        value: { kind: string; instance: { spec: { id: string }; state: string } };
      };
      seen.push(`${value.kind} ${value.instance.spec.id} ${value.instance.state}`);
    }
    expect(seen).toEqual(['changed c starting', 'changed a ready']);
    stop.abort();
    await expect(changes.next()).resolves.toMatchObject({ done: true });
  });

  it('lists by labels', async () => {
    await create('a', { labels: { function: 'f', namespace: 'n' } });
    await create('b', { labels: { function: 'f' } });
    expect(service.list({ function: 'f' }).map(({ spec }) => spec.id)).toEqual(['a', 'b']);
    expect(service.list({ function: 'f', namespace: 'n' })).toHaveLength(1);
    expect(service.list({ function: 'g' })).toEqual([]);
  });

  it('cuts off a watcher who does not keep up', async () => {
    await create('a');
    const changes = service.watch({}, new AbortController().signal);
    await changes.next();
    for (let index = 0; index < 5000; index += 1) {
      service.notify({ kind: 'listening', id: 'a', guestPort: 9000, hostPort: 1000 + index });
    }
    await expect(changes.next()).rejects.toMatchObject({ kind: 'resource_exhausted' });
  });
});

describe('adopt', () => {
  const findings = (change: Partial<NodeFindings>): NodeFindings => ({
    records: [],
    monitors: new Map(),
    names: [],
    ...change,
  });
  const recordOf = (id: string, change: Partial<InstanceRecord> = {}): InstanceRecord => {
    const plain = recordFixture(change);
    return { ...plain, imageDigest: change.imageDigest ?? 'sha256:a', spec: { ...plain.spec, id } };
  };

  it('takes over what runs and keeps its address and image', async () => {
    const monitor = host.add();
    host.portsNow = [{ guestPort: 8080, hostPort: 41_000 }];
    await service.adopt(
      findings({
        records: [recordOf('a', { state: 'ready', slot: 1, readyAtMs: 1 })],
        monitors: new Map([['a', [{ pid: monitor.pid, startTimeTicks: 7n }]]]),
        names: ['a'],
      }),
    );
    expect(monitor.signals).toEqual([]);
    expect(service.get('a')).toMatchObject({ state: 'ready', network: { ip: '10.62.0.3' } });
    expect([slots.taken, leases]).toEqual([1, ['sha256:a']]);
    await create('b');
    expect(service.get('b').network.ip).toBe('10.62.0.2');
    await create('c');
    expect(service.get('c').network.ip).toBe('10.62.0.4');
  });

  it('removes what belongs to no instance, and its process', async () => {
    const orphan = host.add();
    const done = service.adopt(
      findings({ monitors: new Map([['old', [{ pid: orphan.pid, startTimeTicks: 7n }]]]), names: ['old', 'folder'] }),
    );
    await settle();
    expect(orphan.signals).toEqual([9]);
    expect(host.calls).toEqual(['leftovers folder']);
    orphan.end({});
    await done;
    expect(host.calls).toContain('leftovers old');
  });

  it('ends a process of an instance that is to have none, and a second one', async () => {
    const unwanted = host.add();
    const kept = host.add();
    const second = host.add();
    const idOf = (process: { pid: number }): { pid: number; startTimeTicks: bigint } => ({
      pid: process.pid,
      startTimeTicks: 7n,
    });
    const done = service.adopt(
      findings({
        records: [recordOf('a', { state: 'exited' }), recordOf('b', { state: 'starting', slot: 1 })],
        monitors: new Map([
          ['a', [idOf(unwanted)]],
          ['b', [idOf(kept), idOf(second)]],
        ]),
        names: ['a', 'b'],
      }),
    );
    await settle();
    expect([unwanted.signals, kept.signals, second.signals]).toEqual([[9], [], [9]]);
    unwanted.end({});
    second.end({});
    await done;
    expect([service.get('a').state, service.get('b').state]).toEqual(['exited', 'starting']);
  });

  it('gives up an instance whose address it cannot have', async () => {
    await service.adopt(
      findings({
        records: [recordOf('a', { slot: 0, state: 'exited' }), recordOf('b', { slot: 0 }), recordOf('c', { slot: 99 })],
        names: ['a', 'b', 'c'],
      }),
    );
    expect(service.list({}).map(({ spec }) => spec.id)).toEqual(['a']);
    expect(host.calls).toEqual(['leftovers b', 'leftovers c']);
    expect(troubles).toHaveLength(2);
  });

  it('brings the image of an instance again when it is gone, and keeps it only if it is the same', async () => {
    await service.adopt(
      findings({ records: [recordOf('a', { state: 'exited', imageDigest: 'sha256:gone' })], names: ['a'] }),
    );
    expect(service.get('a').state).toBe('exited');
    expect(troubles[0]).toContain('sha256:gone');
    await settle();
    expect(leases).toEqual([]);
  });
});

describe('addUproc', () => {
  const signal = new AbortController().signal;
  const uproc = { args: ['/worker'], env: { B: '3', C: '4' }, cwd: '/work', user: '' };

  it('runs a program as the first one, but for what is asked', async () => {
    await create('a', { uproc: { args: ['/server'], env: { B: '2' }, cwd: '/app', user: '' } });
    const added = service.addUproc('a', uproc, signal);
    const monitorPid = host.launched.at(-1)?.pid ?? 0;
    service.notify({ kind: 'uprocStarted', id: 'a', monitorPid, pid: 77 });
    await expect(added).resolves.toBe(77);
    expect(host.uprocs).toMatchObject([{ args: ['/worker'], env: { B: '3', C: '4' }, cwd: '/work' }]);
    const same = service.addUproc('a', { args: [], env: {}, cwd: '', user: '' }, signal);
    service.notify({ kind: 'uprocStarted', id: 'a', monitorPid: host.launched.at(-1)?.pid ?? 0, pid: 78 });
    await expect(same).resolves.toBe(78);
    expect(host.uprocs[1]).toMatchObject({ args: ['/server'], env: { B: '2' }, cwd: '/app' });
  });

  it('needs an instance that runs', async () => {
    await expect(service.addUproc('a', uproc, signal)).rejects.toMatchObject({ kind: 'not_found' });
    await service.create(request('a'), { leaveStopped: true });
    await expect(service.addUproc('a', uproc, signal)).rejects.toMatchObject({ kind: 'failed_precondition' });
    expect(host.uprocs).toEqual([]);
  });

  it('names all faults at once, another user too', async () => {
    await create('a');
    await expect(
      service.addUproc('a', { args: [''], env: { 'A=': '' }, cwd: 'here', user: '12:13' }, signal),
    ).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringMatching(/uproc.args: .*uproc.env: .*uproc.cwd: .*uproc.user: /),
    });
    expect(host.uprocs).toEqual([]);
  });
});
