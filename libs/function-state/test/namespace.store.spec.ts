// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import type { FunctionState } from '../src/index.js';
import { StateBench } from './state.fixture.js';

describe('NamespaceStore', () => {
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

  it('keeps labels and annotations', async () => {
    const record = { name: 'dev', labels: { openfaas: '1' }, annotations: { owner: 'me' } };
    await state.namespaces.create(record);
    expect(await state.namespaces.get('dev')).toEqual(record);
    await state.namespaces.update({ ...record, labels: {} });
    expect(await state.namespaces.get('dev')).toEqual({ ...record, labels: {} });
  });

  it('lists by name', async () => {
    await state.namespaces.create({ name: 'b', labels: {}, annotations: {} });
    await state.namespaces.create({ name: 'a', labels: {}, annotations: {} });
    expect((await state.namespaces.list()).map(({ name }) => name)).toEqual(['a', 'b', 'ns']);
  });

  it('answers with the fault where a change does not fit', async () => {
    const record = { name: 'ns', labels: {}, annotations: {} };
    await expect(state.namespaces.create(record)).rejects.toMatchObject({ code: 'already-exists' });
    await expect(state.namespaces.update({ ...record, name: 'no' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(state.namespaces.delete('no')).rejects.toMatchObject({ code: 'not-found' });
    expect(await state.namespaces.get('no')).toBeUndefined();
  });

  it('is deleted only when it holds neither functions nor secrets', async () => {
    await state.functions.create(functionV1.FunctionSpec.create({ name: 'aes', namespace: 'ns', image: 'i' }), 1, {
      imageDigest: '',
      nowMs: 1,
    });
    await state.secrets.create('ns', 's', Buffer.from('v'));
    await expect(state.namespaces.delete('ns')).rejects.toMatchObject({
      code: 'not-empty',
      message: 'namespace ns still has 1 function and 1 secret',
    });
    await state.functions.delete('ns', 'aes');
    await expect(state.namespaces.delete('ns')).rejects.toMatchObject({ code: 'not-empty' });
    await state.secrets.delete('ns', 's');
    await state.namespaces.delete('ns');
    expect(await state.namespaces.list()).toEqual([]);
  });

  it.each(['{', '{"schema":2,"labels":{},"annotations":{}}', '{"schema":1,"labels":{"a":1},"annotations":{}}'])(
    'reports the record %s as unreadable',
    async (text) => {
      await state.connection.run((redis) => redis.hset('junction:test:namespaces', 'bad', text));
      await expect(state.namespaces.get('bad')).rejects.toMatchObject({ code: 'unreadable' });
    },
  );
});
