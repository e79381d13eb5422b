// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import { until } from '@junctiond/testing';
import type { FakeGateway } from './fake-gateway.fixture.js';
import { type Clients, ProviderBench, specOf } from './provider.fixture.js';

describe('logs', () => {
  let bench: ProviderBench;
  let clients: Clients;
  let gateway: FakeGateway;
  let ids: string[];

  beforeAll(async () => {
    bench = await ProviderBench.start();
    const provider = await bench.provider();
    ({ clients } = provider);
    gateway = bench.gateway(provider);
    const labels = { entries: { 'com.openfaas.scale.min': '2' } };
    await until('the provider to be ready', () => gateway.updates.length > 0);
    await clients.functions.deployFunction({ spec: specOf('aes', { labels }) });
    ids = await until('two replicas', () => {
      const serving = gateway.serving('aes.openfaas-fn');
      return serving.length === 2 ? serving : undefined;
    });
    bench.junctiond.log(ids[0]!, 'one', 2_000_000);
    bench.junctiond.log(ids[1]!, 'two', 2_000_001);
    bench.junctiond.log(ids[0]!, 'three', 2_000_002);
    bench.junctiond.log(ids[1]!, 'four', 2_000_003);
  });
  afterAll(async () => {
    await bench.stop();
  });

  const open = (
    more: Partial<functionV1.ReadLogsRequest>,
    signal?: AbortSignal,
  ): AsyncIterable<functionV1.FunctionLogLine> =>
    clients.functions.readLogs(
      { ...functionV1.ReadLogsRequest.create({ name: 'aes' }), ...more },
      { deadlineMs: 30_000, ...(signal === undefined ? {} : { signal }) },
    );
  const read = async (more: Partial<functionV1.ReadLogsRequest> = {}): Promise<string[]> => {
    const texts: string[] = [];
    for await (const { text } of open(more)) {
      texts.push(text);
    }
    return texts;
  };
  /** Collects what follows until it is told to stop. */
  const follow = (more: Partial<functionV1.ReadLogsRequest> = {}): { texts: string[]; stop: () => Promise<void> } => {
    const abort = new AbortController();
    const texts: string[] = [];
    const reading = (async () => {
      for await (const { text } of open({ follow: true, ...more }, abort.signal)) {
        texts.push(text);
      }
    })();
    return {
      texts,
      stop: async () => {
        abort.abort();
        await reading.catch(() => undefined);
      },
    };
  };

  it('merges the replicas by time and names each line', async () => {
    expect(await read()).toEqual(['one', 'two', 'three', 'four']);
    for await (const line of open({})) {
      expect(line).toEqual({
        name: 'aes',
        namespace: 'openfaas-fn',
        instance: ids[0],
        at: new Date(2_000_000),
        text: 'one',
      });
      break;
    }
  });

  it.each([
    ['the last lines of all replicas', { tailLines: 3 }, ['two', 'three', 'four']],
    ['everything for a tail of 0', { tailLines: 0 }, ['one', 'two', 'three', 'four']],
    ['what is not older than a time', { since: new Date(2_000_002) }, ['three', 'four']],
    ['nothing of an unknown replica', { instance: 'aes-unknown' }, []],
  ])('gives %s', async (_what, request, expected) => {
    expect(await read(request)).toEqual(expected);
  });

  it('gives one replica', async () => {
    expect(await read({ instance: ids[1]! })).toEqual(['two', 'four']);
  });

  it('answers not found for an unknown function', async () => {
    await expect(read({ name: 'no' })).rejects.toMatchObject({ kind: 'not_found' });
    await expect(read({ name: 'no', follow: true })).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('follows: first what is kept, then what comes, also from replicas that come later', async () => {
    const { texts, stop } = follow({ tailLines: 1 });
    await until('the kept line', () => texts.length === 1);
    bench.junctiond.log(ids[0]!, 'five', 2_000_004);
    bench.junctiond.log(ids[1]!, 'six', 2_000_004);
    await until('the new lines', () => texts.length === 3);
    expect([texts[0], ...texts.slice(1).sort()]).toEqual(['four', 'five', 'six']);

    await clients.functions.scaleFunction({ name: 'aes', namespace: '', replicas: 3 });
    const third = await until('a third replica', () =>
      gateway.serving('aes.openfaas-fn').find((id) => !ids.includes(id)),
    );
    bench.junctiond.log(third, 'seven', 2_000_005);
    await until('its line', () => texts.length === 4);
    expect(texts[3]).toBe('seven');
    await stop();
  });

  it('goes on over a restart of junctiond, without a gap and without a line twice', async () => {
    const { texts, stop } = follow({ instance: ids[0]!, since: new Date(2_000_004) });
    await until('the kept line', () => texts.length === 1);
    bench.junctiond.log(ids[0]!, 'before', 2_000_010);
    await until('a line', () => texts.length === 2);
    await bench.junctiond.stop();
    bench.junctiond.log(ids[0]!, 'meanwhile', 2_000_010);
    await bench.junctiond.start();
    bench.junctiond.log(ids[0]!, 'after', 2_000_011);
    await until('all lines', () => texts.length === 4);
    expect(texts).toEqual(['five', 'before', 'meanwhile', 'after']);
    await stop();
  });

  it('ends when the function is deleted', async () => {
    const reading = read({ follow: true, tailLines: 1 });
    await clients.functions.deleteFunction({ name: 'aes', namespace: '' });
    expect(await reading).toHaveLength(1);
  });
});
