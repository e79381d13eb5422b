// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { FunctionState, SecretSealer } from '../src/index.js';
import { dumpRedis, StateBench } from './state.fixture.js';

const VALUE = Buffer.from('top secret value \u0000\u00ff', 'latin1');

describe('SecretStore', () => {
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

  it('gives back any bytes, also none', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    await state.secrets.create('ns', 'empty', Buffer.alloc(0));
    const [a, empty] = await state.secrets.read('ns', ['a', 'empty']);
    expect(a?.value.equals(VALUE)).toBe(true);
    expect(empty?.value.length).toBe(0);
  });

  it('leaves out what does not exist and keeps the order asked for', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    await state.secrets.create('ns', 'b', VALUE);
    const found = await state.secrets.read('ns', ['b', 'missing', 'a']);
    expect(found.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(await state.secrets.read('ns', [])).toEqual([]);
  });

  it('lists names in order', async () => {
    await state.secrets.create('ns', 'b', VALUE);
    await state.secrets.create('ns', 'a', VALUE);
    expect(await state.secrets.names('ns')).toEqual(['a', 'b']);
    expect(await state.secrets.names('elsewhere')).toEqual([]);
  });

  it('changes the revision with each value, also after a delete', async () => {
    const revision = async (): Promise<number> => (await state.secrets.read('ns', ['a']))[0]?.revision ?? 0;
    await state.secrets.create('ns', 'a', VALUE);
    const first = await revision();
    await state.secrets.update('ns', 'a', VALUE);
    const second = await revision();
    await state.secrets.delete('ns', 'a');
    await state.secrets.create('ns', 'a', VALUE);
    expect(second).toBeGreaterThan(first);
    expect(await revision()).toBeGreaterThan(second);
  });

  it('answers with the fault where a change does not fit', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    await expect(state.secrets.create('ns', 'a', VALUE)).rejects.toMatchObject({ code: 'already-exists' });
    await expect(state.secrets.create('other', 'a', VALUE)).rejects.toMatchObject({ code: 'namespace-missing' });
    await expect(state.secrets.update('ns', 'b', VALUE)).rejects.toMatchObject({ code: 'not-found' });
    await expect(state.secrets.delete('ns', 'b')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('tells revisions without opening a value', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    const stranger = new FunctionState(state.connection, 'test', new SecretSealer(Buffer.alloc(32, 8)));
    const [record] = await state.secrets.read('ns', ['a']);
    expect([...(await stranger.secrets.revisions('ns'))]).toEqual([['a', record?.revision]]);
    expect((await state.secrets.revisions('elsewhere')).size).toBe(0);
  });

  it('keeps no value readable in Redis', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    const dump = await dumpRedis(state);
    expect(dump).toContain('secrets:ns');
    expect(dump).not.toContain('top secret');
    expect(dump).not.toContain(VALUE.toString('base64').slice(0, 12));
  });

  it('does not open what another key has sealed', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    const stranger = new FunctionState(state.connection, 'test', new SecretSealer(Buffer.alloc(32, 8)));
    await expect(stranger.secrets.read('ns', ['a'])).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('does not open a value that was moved to another name', async () => {
    await state.secrets.create('ns', 'a', VALUE);
    await state.connection.run(async (redis) => {
      await redis.hset('junction:test:secrets:ns', 'b', (await redis.hget('junction:test:secrets:ns', 'a')) ?? '');
    });
    await expect(state.secrets.read('ns', ['b'])).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('does not read a record of another schema', async () => {
    await state.connection.run((redis) => redis.hset('junction:test:secrets:ns', 'a', '2 1 AAAA'));
    await expect(state.secrets.read('ns', ['a'])).rejects.toMatchObject({ code: 'unreadable' });
  });
});

describe('SecretSealer', () => {
  it('seals the same value differently each time', () => {
    const sealer = new SecretSealer(Buffer.alloc(32));
    expect(sealer.seal('p', VALUE)).not.toBe(sealer.seal('p', VALUE));
  });

  it('refuses a key of another length', () => {
    expect(() => new SecretSealer(Buffer.alloc(16))).toThrow(RangeError);
  });

  it.each(['', 'AAAA', 'not base64 !'])('refuses %j', (sealed) => {
    expect(() => new SecretSealer(Buffer.alloc(32)).open('p', sealed)).toThrow(/sealed with another key or changed/);
  });
});
