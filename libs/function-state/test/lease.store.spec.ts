// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { FunctionState } from '../src/index.js';
import { OWNER, StateBench } from './state.fixture.js';

const OTHER = { ...OWNER, node: 'node-b', nonce: 'b' };

describe('LeaseStore', () => {
  let bench: StateBench;
  let state: FunctionState;

  beforeAll(async () => {
    bench = await StateBench.start();
  });
  beforeEach(async () => {
    await bench.clear();
    state = await bench.open();
  });
  afterAll(async () => {
    await bench.stop();
  });

  it('is given to one owner and prolonged under the same epoch', async () => {
    const first = await state.lease.acquire(OWNER, 60_000);
    expect(first).toEqual({ kind: 'held', epoch: 1 });
    expect(await state.lease.acquire(OWNER, 60_000)).toEqual(first);
  });

  it('names the owner and the time left to everyone else', async () => {
    await state.lease.acquire(OWNER, 60_000);
    const attempt = await state.lease.acquire(OTHER, 60_000);
    expect(attempt).toMatchObject({ kind: 'taken', owner: OWNER });
    expect(attempt.kind === 'taken' ? attempt.expiresInMs : 0).toBeGreaterThan(0);
  });

  it('passes at once from an owner that is known to be dead', async () => {
    await state.lease.acquire(OWNER, 60_000);
    expect(await state.lease.acquire(OTHER, 60_000, OWNER)).toEqual({ kind: 'held', epoch: 2 });
    expect((await state.lease.acquire(OWNER, 60_000)).kind).toBe('taken');
  });

  it('does not pass when the owner is another than the one known to be dead', async () => {
    await state.lease.acquire(OWNER, 60_000);
    const attempt = await state.lease.acquire(OTHER, 60_000, { ...OWNER, nonce: 'older' });
    expect(attempt.kind).toBe('taken');
  });

  it('passes under a new epoch when it ran out', async () => {
    await state.lease.acquire(OWNER, 60_000);
    await state.connection.run((redis) => redis.pexpire('junction:test:lease', 0));
    expect(await state.lease.acquire(OTHER, 60_000)).toEqual({ kind: 'held', epoch: 2 });
  });

  it('is given back by its owner only', async () => {
    await state.lease.acquire(OWNER, 60_000);
    await state.lease.release(OTHER);
    expect((await state.lease.acquire(OTHER, 60_000)).kind).toBe('taken');
    await state.lease.release(OWNER);
    expect(await state.lease.acquire(OTHER, 60_000)).toEqual({ kind: 'held', epoch: 2 });
  });

  it('reports a lease whose owner cannot be read', async () => {
    await state.connection.run((redis) => redis.hset('junction:test:lease', 'owner', 'nobody', 'epoch', '1'));
    await expect(state.lease.acquire(OWNER, 60_000)).rejects.toMatchObject({ code: 'unreadable' });
  });
});

describe('MetaStore', () => {
  let bench: StateBench;

  beforeAll(async () => {
    bench = await StateBench.start();
  });
  afterAll(async () => {
    await bench.stop();
  });

  it('keeps the first id of a store', async () => {
    const state = await bench.open();
    expect(await state.meta.open('one')).toBe('one');
    expect(await state.meta.open('two')).toBe('one');
  });

  it('refuses a store of another schema', async () => {
    const state = await bench.open('newer');
    await state.connection.run((redis) => redis.hset('junction:newer:meta', 'schema', '2', 'storeId', 'x'));
    await expect(state.meta.open('y')).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('gives each life of a provider route versions that are larger than all before', async () => {
    const state = await bench.open('routes');
    const first = await state.meta.nextRouteVersionBase();
    const second = await state.meta.nextRouteVersionBase();
    expect(first).toBe(1n << 32n);
    expect(second - first).toBe(1n << 32n);
  });
});
