// SPDX-License-Identifier: Apache-2.0
// junctiond as a process, with the real junction_run: the life of instances over gRPC, and its own death.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { instanceV1 } from '@junctiond/contracts';
import { until } from '@junctiond/testing';

import { buildGuestImage, isAlive, specOf, TestJunctiond } from './junctiond.fixture.js';

const State = instanceV1.InstanceState;

let folder: string;
let image: string;
let junctiond: TestJunctiond;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'junctiond-spec-'));
  image = await buildGuestImage(folder);
  junctiond = await TestJunctiond.create();
  await junctiond.start();
});

afterAll(async () => {
  await junctiond.destroy();
  await rm(folder, { recursive: true });
});

afterEach(async () => {
  const { instances } = await junctiond.instances.listInstances({ labels: {}, usage: false });
  await Promise.all(
    instances.map(({ spec }) =>
      junctiond.instances.deleteInstance({ id: spec?.id ?? '', force: true, gracePeriodMs: 1 }),
    ),
  );
});

async function create(change: Partial<instanceV1.InstanceSpec>): Promise<instanceV1.Instance> {
  const { instance } = await junctiond.instances.createInstance({
    spec: specOf({ image, ...change }),
    leaveStopped: false,
  });
  if (instance === undefined) throw new Error('no instance');
  return instance;
}

describe('an instance', () => {
  it('goes from creation to deletion and leaves nothing behind', async () => {
    const created = await create({
      id: 'life',
      labels: { function: 'life' },
      uproc: { args: [], env: { OWN: 'a b' }, cwd: '', user: '' },
    });
    expect(created).toMatchObject({ state: State.INSTANCE_STATE_STARTING, restarts: 0, queuePairs: 1 });
    expect(created.imageDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const ready = await junctiond.waitReady('life');
    expect(await junctiond.ask(ready, '/env/FROM_IMAGE')).toBe('yes');
    expect(await junctiond.ask(ready, '/env/OWN')).toBe('a b');
    expect(await junctiond.ask(ready, '/env/HOSTNAME')).toBe('life');
    expect(await junctiond.ask(ready, '/ids')).toBe('1000 1001 1');
    expect(isAlive(ready.pid)).toBe(true);
    expect(ready.readyAt?.getTime()).toBeGreaterThanOrEqual(ready.startedAt?.getTime() ?? Infinity);

    const { instance } = await junctiond.instances.getInstance({ id: 'life', usage: true });
    expect(instance?.usage?.memoryBytes).toBeGreaterThan(0n);
    expect(instance?.usage?.guestSyscalls).toBeGreaterThan(0n);

    const stopped = await junctiond.instances.stopInstance({ id: 'life', gracePeriodMs: 0 });
    expect(stopped.instance).toMatchObject({
      state: State.INSTANCE_STATE_EXITED,
      pid: 0,
      ports: [],
      lastExit: { code: 0 },
    });
    expect(isAlive(ready.pid)).toBe(false);
    expect(await junctiond.logTexts('life')).toContain('serving');

    await junctiond.instances.startInstance({ id: 'life' });
    await junctiond.waitReady('life');
    await expect(
      junctiond.instances.deleteInstance({ id: 'life', force: false, gracePeriodMs: 0 }),
    ).rejects.toMatchObject({ kind: 'failed_precondition' });
    await junctiond.instances.deleteInstance({ id: 'life', force: true, gracePeriodMs: 0 });
    await expect(junctiond.instances.getInstance({ id: 'life', usage: false })).rejects.toMatchObject({
      kind: 'not_found',
    });
    expect(await readdir(junctiond.instancesDir)).toEqual([]);
    expect(await readdir(join(junctiond.runDir, 'instances'))).toEqual([]);
    expect((await junctiond.cgroups()).filter((dir) => dir.endsWith('/life'))).toEqual([]);
  });

  it('runs beside others on the same port of its own', async () => {
    await Promise.all(
      ['a', 'b', 'c'].map((id) => create({ id, uproc: { args: [], env: { NAME: id }, cwd: '', user: '' } })),
    );
    const ready = await Promise.all(['a', 'b', 'c'].map((id) => junctiond.waitReady(id)));
    expect(await Promise.all(ready.map((instance) => junctiond.ask(instance, '/env/NAME')))).toEqual(['a', 'b', 'c']);
    expect(new Set(ready.map(({ ip }) => ip)).size).toBe(3);
    expect(new Set(ready.map(({ mac }) => mac)).size).toBe(3);
  });

  it('sees its secrets, and their change, and nobody else does', async () => {
    await create({ id: 'secretive', secrets: { token: Buffer.from('hush-1') } });
    const ready = await junctiond.waitReady('secretive');
    expect(await junctiond.ask(ready, '/secret/token')).toBe('hush-1');
    await junctiond.instances.updateSecrets({
      id: 'secretive',
      secrets: { token: Buffer.from('hush-2'), more: Buffer.from('x') },
    });
    expect(await junctiond.ask(ready, '/secret/token')).toBe('hush-2');
    expect(await junctiond.ask(ready, '/secret/more')).toBe('x');
    expect(ready.spec?.secrets).toEqual({});
    expect(junctiond.output).not.toContain('hush');
    expect(await readFile(join(junctiond.instancesDir, 'secretive/spec.json'), 'utf8')).not.toContain('hush');
    expect(await readFile(`/proc/${ready.pid}/cmdline`, 'utf8')).not.toContain('hush');
  });

  it('can be given more cores while it runs', async () => {
    await create({ id: 'cores', coreLimit: 1 });
    await junctiond.waitReady('cores');
    const { instance } = await junctiond.instances.setCoreLimit({ id: 'cores', coreLimit: 2 });
    expect(instance?.spec?.coreLimit).toBeGreaterThanOrEqual(1);
    await expect(junctiond.instances.setCoreLimit({ id: 'cores', coreLimit: 0 })).rejects.toMatchObject({
      kind: 'invalid_argument',
    });
  });

  it('takes further programs', async () => {
    await create({ id: 'more', uproc: { args: [], env: { OWN: 'yes' }, cwd: '', user: '' } });
    const ready = await junctiond.waitReady('more');
    const serveAt = { args: ['/guest'], env: { PORT: '9000' }, cwd: '', user: '' };
    const { pid } = await junctiond.instances.addUproc({ id: 'more', uproc: serveAt });
    expect(isAlive(pid)).toBe(true);
    const both = await junctiond.waitFor('more', 'its second port', ({ ports }) => ports.length === 2);
    const second = both.ports.find(({ guestPort }) => guestPort === 9000);
    const at = `http://${second?.host ?? ''}:${second?.hostPort ?? 0}`;
    expect(await (await fetch(`${at}/env/OWN`)).text()).toBe('yes');
    expect(await (await fetch(`${at}/env/FROM_IMAGE`)).text()).toBe('yes');
    expect(await (await fetch(`${at}/ids`)).text()).toMatch(/^1000 1001 [2-9]/);
    await fetch(`${at}/exit/7`).catch(() => undefined);
    await until('its end in the log', async () =>
      (await junctiond.logTexts('more')).some((text) => /added program \/guest .* exited with code 7/.test(text)),
    );
    expect(await junctiond.ask(ready, '/ids')).toBe('1000 1001 1');
    const again = await junctiond.instances.addUproc({ id: 'more', uproc: serveAt });
    await junctiond.instances.stopInstance({ id: 'more', gracePeriodMs: 0 });
    await until('the end of the other program', () => !isAlive(again.pid));
    await expect(junctiond.instances.addUproc({ id: 'more', uproc: serveAt })).rejects.toMatchObject({
      kind: 'failed_precondition',
    });
  });

  it('says why there is no further program', async () => {
    await create({ id: 'no-more' });
    await junctiond.waitReady('no-more');
    const uproc = { args: ['/no/such'], env: {}, cwd: '', user: '' };
    await expect(junctiond.instances.addUproc({ id: 'no-more', uproc })).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringContaining('/no/such: No such file or directory'),
    });
    await expect(
      junctiond.instances.addUproc({ id: 'no-more', uproc: { ...uproc, args: ['/guest'], user: 'root' } }),
    ).rejects.toMatchObject({ kind: 'invalid_argument', message: expect.stringContaining('1000:1001') });
    await expect(junctiond.instances.addUproc({ id: 'nobody', uproc })).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('an instance that does not do well', () => {
  it('is restarted when it crashes, with its output in the reason', async () => {
    await create({ id: 'crash', uproc: { args: ['/guest', 'crash'], env: {}, cwd: '', user: '' } });
    const instance = await junctiond.waitFor(
      'crash',
      'a second restart',
      ({ state, restarts }) => state === State.INSTANCE_STATE_BACKING_OFF && restarts >= 1,
    );
    expect(instance.reason).toContain('exited with code 3');
    expect(instance.reason).toContain('cannot find my configuration');
    expect(instance.lastExit).toMatchObject({ code: 3, signal: 0, outOfMemory: false });
    expect(await junctiond.logTexts('crash')).toContain('cannot find my configuration');
  });

  it('ends when it may not be restarted', async () => {
    await create({
      id: 'once',
      restart: instanceV1.RestartPolicy.RESTART_POLICY_NEVER,
      uproc: { args: ['/guest', 'crash'], env: {}, cwd: '', user: '' },
    });
    const instance = await junctiond.waitFor('once', 'its end', ({ state }) => state === State.INSTANCE_STATE_EXITED);
    expect(instance).toMatchObject({ restarts: 0, lastExit: { code: 3 } });
  });

  it('fails with a reason when it never listens', async () => {
    await create({
      id: 'silent',
      listenDeadlineMs: 500,
      uproc: { args: ['/guest', 'silent'], env: {}, cwd: '', user: '' },
    });
    const instance = await junctiond.waitFor(
      'silent',
      'its failure',
      ({ state }) => state === State.INSTANCE_STATE_FAILED,
    );
    expect(instance.reason).toBe('did not listen on port 8080 within 0.5 s; last output: not listening');
    expect(instance.pid).toBe(0);
  });

  it('fails with a reason when its program does not exist', async () => {
    await create({ id: 'missing', listenDeadlineMs: 5000, uproc: { args: ['/no/such'], env: {}, cwd: '', user: '' } });
    const instance = await junctiond.waitFor(
      'missing',
      'its end',
      ({ state }) => state === State.INSTANCE_STATE_FAILED || state === State.INSTANCE_STATE_BACKING_OFF,
    );
    expect(instance.reason).toContain('/no/such');
  });

  it('is killed at its memory limit, and that is told', async () => {
    await create({ id: 'greedy', memoryLimitBytes: 32n << 20n });
    const ready = await junctiond.waitReady('greedy');
    await junctiond.ask(ready, '/alloc/256').catch(() => undefined);
    const instance = await junctiond.waitFor('greedy', 'its end', ({ lastExit }) => lastExit !== undefined);
    expect(instance.lastExit).toMatchObject({ outOfMemory: true });
    expect(instance.reason).toContain('memory limit');
  });

  it('is not ready any more when it closes its port', async () => {
    await create({ id: 'closing' });
    const ready = await junctiond.waitReady('closing');
    await junctiond.ask(ready, '/close');
    const instance = await junctiond.waitFor(
      'closing',
      'the closed port',
      ({ state }) => state !== State.INSTANCE_STATE_READY,
    );
    expect(instance).toMatchObject({ state: State.INSTANCE_STATE_STARTING, ports: [] });
  });

  it('is refused with all faults at once', async () => {
    await expect(create({ id: 'Bad Id', servicePort: 70_000, image: 'NOT AN IMAGE' })).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringMatching(/id: .*service_port: /),
    });
    await expect(create({ id: 'good', image: 'oci:/no/such/folder' })).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('logs', () => {
  it('are followed until the instance is deleted', async () => {
    await create({ id: 'talker' });
    const ready = await junctiond.waitReady('talker');
    const lines: string[] = [];
    const following = (async () => {
      const query = { id: 'talker', tailLines: 0, follow: true, since: undefined };
      for await (const { text, instanceId } of junctiond.instances.readLogs(query, { deadlineMs: 60_000 })) {
        lines.push(`${instanceId} ${text}`);
      }
    })();
    await until('the first line', () => lines.length === 1);
    await junctiond.ask(ready, '/print/hello');
    await until('the second line', () => lines.length === 2);
    expect(lines).toEqual(['talker serving', 'talker hello']);
    await junctiond.instances.deleteInstance({ id: 'talker', force: true, gracePeriodMs: 0 });
    await following;
  });

  it('of an unknown instance are not found', async () => {
    await expect(junctiond.logTexts('nobody')).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('the death of junctiond', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'by %s does not touch an instance, and the next one takes over',
    async (signal) => {
      await create({ id: 'kept', labels: { a: 'b' }, secrets: { token: Buffer.from('still-here') } });
      await create({ id: 'dies' });
      await create({ id: 'stopped' });
      const [kept, dies] = await Promise.all(['kept', 'dies', 'stopped'].map((id) => junctiond.waitReady(id)));
      if (kept === undefined || dies === undefined) throw new Error('no instance');
      await junctiond.instances.stopInstance({ id: 'stopped', gracePeriodMs: 0 });

      const code = await junctiond.end(signal);
      expect(code).toBe(signal === 'SIGTERM' ? 0 : null);
      expect(await junctiond.ask(kept, '/env/FROM_IMAGE')).toBe('yes');
      await junctiond.ask(kept, '/print/while-away');
      await junctiond.ask(dies, '/exit/7').catch(() => undefined);
      await until('the end of the other', () => !isAlive(dies.pid));

      await junctiond.start();
      const again = await junctiond.waitReady('kept');
      expect(again).toMatchObject({
        pid: kept.pid,
        ports: kept.ports,
        ip: kept.ip,
        restarts: 0,
        spec: { labels: { a: 'b' } },
      });
      expect(await junctiond.ask(again, '/secret/token')).toBe('still-here');
      expect(await junctiond.logTexts('kept')).toEqual(['serving', 'while-away']);

      const restarted = await junctiond.waitReady('dies');
      expect(restarted).toMatchObject({ restarts: 1, lastExit: { code: 7 } });
      expect(restarted.pid).not.toBe(dies.pid);
      const { instance } = await junctiond.instances.getInstance({ id: 'stopped', usage: false });
      expect(instance?.state).toBe(State.INSTANCE_STATE_EXITED);
    },
  );

  it('leaves a second one no way to start', async () => {
    const { instances } = await junctiond.instances.listInstances({ labels: {}, usage: false });
    expect(instances).toEqual([]);
    await expect(junctiond.startSecond()).resolves.toContain('already listens');
  });
});
