// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import type { FunctionState, ReplicaRecord, StateError } from '../src/index.js';
import { StateBench } from './state.fixture.js';

const READY: ReplicaRecord = {
  id: 'aes-1',
  node: 'n',
  generation: 3,
  state: 'ready',
  host: '127.0.0.1',
  port: 40_000,
  secretsRevision: 'x',
};
const STARTING: ReplicaRecord = { id: 'aes-0', node: 'n', generation: 4, state: 'not-ready', secretsRevision: '' };

describe('ReplicaStore', () => {
  let bench: StateBench;
  let state: FunctionState;

  beforeAll(async () => {
    bench = await StateBench.start();
  });
  beforeEach(async () => {
    await bench.clear();
    state = await bench.openWriter();
    await state.functions.create(functionV1.FunctionSpec.create({ name: 'aes', namespace: 'ns', image: 'i' }), 1, {
      imageDigest: '',
      nowMs: 1,
    });
  });
  afterAll(async () => {
    await bench.stop();
  });

  const list = (): Promise<readonly ReplicaRecord[]> =>
    state.replicas.list('ns', 'aes', (error) => {
      throw error;
    });

  it('replaces the whole set', async () => {
    expect(await state.replicas.replace('ns', 'aes', [READY, STARTING])).toBe(true);
    expect(await list()).toEqual([STARTING, READY]);
    await state.replicas.replace('ns', 'aes', [{ ...READY, state: 'draining' }]);
    expect(await list()).toEqual([{ ...READY, state: 'draining' }]);
    await state.replicas.replace('ns', 'aes', []);
    expect(await list()).toEqual([]);
  });

  it('keeps where the links of one are', async () => {
    const linked = { ...READY, host: '10.62.0.5', port: 8080, linkPath: '/run/s/links/aes-1', instanceNumber: 7 };
    await state.replicas.replace('ns', 'aes', [linked]);
    expect(await list()).toEqual([linked]);
  });

  it('keeps nothing for a function that does not exist', async () => {
    expect(await state.replicas.replace('ns', 'gone', [READY])).toBe(false);
    expect(await state.replicas.list('ns', 'gone', () => {})).toEqual([]);
  });

  it.each(['{', 'null', '{"schema":2}', '{"schema":1,"node":"n","generation":1,"state":"odd","secretsRevision":""}'])(
    'leaves out the record %s and says so',
    async (text) => {
      await state.replicas.replace('ns', 'aes', [READY]);
      await state.connection.run((redis) => redis.hset('junction:test:replicas:ns:aes', 'bad', text));
      const faults: StateError[] = [];
      expect(await state.replicas.list('ns', 'aes', (error) => faults.push(error))).toEqual([READY]);
      expect(faults.map(({ code }) => code)).toEqual(['unreadable']);
    },
  );
});
