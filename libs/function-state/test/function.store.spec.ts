// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import type { FunctionState } from '../src/index.js';
import { OWNER, StateBench } from './state.fixture.js';

const FACTS = { imageDigest: 'sha256:1', nowMs: 1_000 };

function spec(name: string, more: Partial<functionV1.FunctionSpec> = {}): functionV1.FunctionSpec {
  return { ...functionV1.FunctionSpec.create({ name, namespace: 'ns', image: 'registry/aes:1' }), ...more };
}

describe('FunctionStore', () => {
  let bench: StateBench;
  let state: FunctionState;

  beforeAll(async () => {
    bench = await StateBench.start();
  });
  beforeEach(async () => {
    await bench.clear();
    state = await bench.openWriter();
  });
  afterAll(async () => {
    await bench.stop();
  });

  it('gives back a spec exactly as it was sent, absent and empty told apart', async () => {
    const sent = spec('aes', {
      envProcess: '',
      envVars: { entries: { B: '2', A: 'ü\n"' } },
      constraints: { items: [] },
      labels: { entries: {} },
      limits: { quantities: { memory: '0.5Gi', 'nvidia.com/gpu': '1' } },
      readOnlyRootFilesystem: false,
    });
    await state.functions.create(sent, 1, FACTS);

    const record = await state.functions.get('ns', 'aes');

    expect(record?.spec).toEqual(sent);
    expect(record?.spec.secrets).toBeUndefined();
    expect(record?.spec.annotations).toBeUndefined();
    expect(Object.keys(record?.spec.envVars?.entries ?? {})).toEqual(['B', 'A']);
    expect(record).toMatchObject({
      wantedReplicas: 1,
      createdAtMs: 1_000,
      updatedAtMs: 1_000,
      imageDigest: 'sha256:1',
    });
  });

  it('creates once', async () => {
    await state.functions.create(spec('aes'), 1, FACTS);
    await expect(state.functions.create(spec('aes'), 1, FACTS)).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('creates nothing in a namespace that does not exist', async () => {
    await expect(state.functions.create(spec('aes', { namespace: 'other' }), 1, FACTS)).rejects.toMatchObject({
      code: 'namespace-missing',
      kind: 'invalid_argument',
    });
    expect(await state.functions.list(['other'])).toEqual({ functions: [], unreadable: [] });
  });

  it('updates under a new generation and keeps the time of creation', async () => {
    const first = await state.functions.create(spec('aes'), 3, FACTS);
    const second = await state.functions.update(
      spec('aes', { image: 'registry/aes:2' }),
      { least: 1, most: 20 },
      { imageDigest: '', nowMs: 2_000 },
    );
    expect(second.generation).toBeGreaterThan(first.generation);
    expect(second).toMatchObject({ wantedReplicas: 3, createdAtMs: 1_000, updatedAtMs: 2_000, imageDigest: '' });
    expect(second.spec.image).toBe('registry/aes:2');
  });

  it('moves the wanted number into the range of an update', async () => {
    await state.functions.create(spec('aes'), 0, FACTS);
    const raised = await state.functions.update(spec('aes'), { least: 2, most: 5 }, FACTS);
    expect(raised.wantedReplicas).toBe(2);
    await state.functions.scale('ns', 'aes', { least: 9, most: 9 });
    const lowered = await state.functions.update(spec('aes'), { least: 2, most: 5 }, FACTS);
    expect(lowered.wantedReplicas).toBe(5);
  });

  it('never gives a generation twice, not even to a function that is made again', async () => {
    const first = await state.functions.create(spec('aes'), 1, FACTS);
    await state.functions.delete('ns', 'aes');
    const second = await state.functions.create(spec('aes'), 1, FACTS);
    expect(second.generation).toBeGreaterThan(first.generation);
  });

  it('scales without a new generation', async () => {
    const created = await state.functions.create(spec('aes'), 1, FACTS);
    const scaled = await state.functions.scale('ns', 'aes', { least: 7, most: 7 });
    expect(scaled).toEqual({ ...created, wantedReplicas: 7 });
  });

  it('raises the wanted number to at least one for a cold start, and leaves more alone', async () => {
    await state.functions.create(spec('aes'), 0, FACTS);
    const atLeastOne = { least: 1, most: 1_000 };
    expect((await state.functions.scale('ns', 'aes', atLeastOne)).wantedReplicas).toBe(1);
    await state.functions.scale('ns', 'aes', { least: 4, most: 4 });
    expect((await state.functions.scale('ns', 'aes', atLeastOne)).wantedReplicas).toBe(4);
  });

  it('records the image of the current generation only', async () => {
    const first = await state.functions.create(spec('aes'), 1, { ...FACTS, imageDigest: '' });
    const known = await state.functions.setImageDigest('ns', 'aes', first.generation, 'sha256:9');
    expect(known.imageDigest).toBe('sha256:9');
    await state.functions.update(spec('aes'), { least: 1, most: 20 }, FACTS);
    await expect(state.functions.setImageDigest('ns', 'aes', first.generation, 'sha256:8')).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('deletes a function together with its replicas', async () => {
    await state.functions.create(spec('aes'), 1, FACTS);
    await state.replicas.replace('ns', 'aes', [
      { id: 'aes-1', node: 'n', generation: 1, state: 'ready', host: '127.0.0.1', port: 1, secretsRevision: '' },
    ]);
    await state.functions.delete('ns', 'aes');
    expect(await state.functions.get('ns', 'aes')).toBeUndefined();
    expect(await state.replicas.list('ns', 'aes', () => {})).toEqual([]);
    expect((await state.functions.list(['ns'])).functions).toEqual([]);
  });

  it.each(['update', 'scale', 'delete'] as const)('answers not-found to %s of an unknown function', async (verb) => {
    const change = {
      update: () => state.functions.update(spec('no'), { least: 1, most: 1 }, FACTS),
      scale: () => state.functions.scale('ns', 'no', { least: 1, most: 1 }),
      delete: () => state.functions.delete('ns', 'no'),
    };
    await expect(change[verb]()).rejects.toMatchObject({ code: 'not-found', kind: 'not_found' });
  });

  it('lists hundreds of functions of several namespaces', async () => {
    await state.namespaces.create({ name: 'two', labels: {}, annotations: {} });
    const names = Array.from({ length: 300 }, (_, index) => `f${index}`);
    await Promise.all(names.map((name) => state.functions.create(spec(name), 1, FACTS)));
    await state.functions.create(spec('last', { namespace: 'two' }), 1, FACTS);
    const { functions } = await state.functions.list(['ns', 'two']);
    expect(functions.map((record) => record.name).sort()).toEqual([...names, 'last'].sort());
  });

  it('tells broken records and those of a newer provider apart from absent ones', async () => {
    await state.functions.create(spec('good'), 1, FACTS);
    await state.functions.create(spec('newer'), 1, FACTS);
    await state.functions.create(spec('broken'), 1, FACTS);
    await state.connection.run(async (redis) => {
      await redis.hset('junction:test:fn:ns:newer', 'schema', '2');
      await redis.hset('junction:test:fn:ns:broken', 'spec', '{');
    });
    const list = await state.functions.list(['ns']);
    expect(list.functions.map((record) => record.name)).toEqual(['good']);
    expect(list.unreadable.map(({ name }) => name).sort()).toEqual(['broken', 'newer']);
    await expect(state.functions.get('ns', 'newer')).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('refuses every change without the lease, and after another provider took it', async () => {
    await state.functions.create(spec('aes'), 1, FACTS);
    const reader = await bench.open();
    await expect(reader.functions.scale('ns', 'aes', { least: 0, most: 0 })).rejects.toMatchObject({ code: 'fenced' });

    const other = await bench.open();
    const successor = { ...OWNER, nonce: 'b' };
    const attempt = await other.lease.acquire(successor, 60_000, OWNER);
    expect(attempt.kind).toBe('held');
    const changes = [
      () => state.functions.create(spec('new'), 1, FACTS),
      () => state.functions.update(spec('aes'), { least: 1, most: 1 }, FACTS),
      () => state.functions.scale('ns', 'aes', { least: 0, most: 0 }),
      () => state.functions.setImageDigest('ns', 'aes', 1, 'sha256:2'),
      () => state.functions.delete('ns', 'aes'),
      () => state.replicas.replace('ns', 'aes', []),
      () => state.secrets.create('ns', 's', Buffer.from('v')),
      () => state.secrets.update('ns', 's', Buffer.from('v')),
      () => state.secrets.delete('ns', 's'),
      () => state.namespaces.create({ name: 'x', labels: {}, annotations: {} }),
      () => state.namespaces.update({ name: 'ns', labels: { a: 'b' }, annotations: {} }),
      () => state.namespaces.delete('ns'),
    ];
    for (const change of changes) {
      await expect(change()).rejects.toMatchObject({ code: 'fenced', kind: 'unavailable' });
    }
    expect((await other.functions.get('ns', 'aes'))?.wantedReplicas).toBe(1);
  });

  it('keeps stacks on one server apart', async () => {
    await state.functions.create(spec('aes'), 1, FACTS);
    const neighbour = await bench.openWriter('test2');
    expect((await neighbour.functions.list(['ns'])).functions).toEqual([]);
  });
});
