// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { backoffMs } from './backoff.js';
import { watchWithReconnect, type WatchOptions } from './watch.js';

/** Runs a watch over scripted streams until the script is over; answers what happened, waits in milliseconds. */
async function run(
  script: (string | Error)[][],
  over: Partial<WatchOptions<string>> = {},
): Promise<(string | number)[]> {
  const abort = new AbortController();
  const seen: (string | number)[] = [];
  await watchWithReconnect<string>({
    open: async function* () {
      const items = script.shift();
      if (items === undefined) {
        abort.abort();
        return;
      }
      for (const item of items) {
        if (item instanceof Error) throw item;
        yield item;
      }
    },
    onItem: (item) => void seen.push(item),
    onConnect: () => void seen.push('connect'),
    onDisconnect: (error) => void seen.push(`disconnect: ${(error as Error).message}`),
    signal: abort.signal,
    backoff: { firstMs: 10, longestMs: 40 },
    random: () => 1,
    wait: (ms) => Promise.resolve(seen.push(ms)),
    ...over,
  });
  return seen;
}

describe('watchWithReconnect', () => {
  it('opens a stream again that ended or failed, and says so once an outage', async () => {
    const lost = new Error('lost');
    expect(await run([['a', 'b', lost], [lost], [lost], ['c']])).toEqual([
      ...['connect', 'a', 'b', 'disconnect: lost', 10],
      ...[20, 40],
      ...['connect', 'c', 'disconnect: the stream ended', 10],
    ]);
  });

  it('waits longer each time, up to the bound', async () => {
    const lost = new Error('lost');
    expect(await run(Array.from({ length: 5 }, () => [lost]))).toEqual(['disconnect: lost', 10, 20, 40, 40, 40]);
  });

  it('opens a new stream when an item cannot be taken, ever more slowly', async () => {
    const onItem = () => {
      throw new Error('gap');
    };
    expect(await run([['a'], ['a']], { onItem })).toEqual([
      ...['connect', 'disconnect: gap', 10],
      ...['connect', 'disconnect: gap', 20],
    ]);
  });

  it('ends at once when it is told to while it waits', async () => {
    const abort = new AbortController();
    await watchWithReconnect({
      // eslint-disable-next-line require-yield -- a stream that cannot be opened
      open: async function* () {
        throw new Error('lost');
      },
      onItem: () => undefined,
      onDisconnect: () => abort.abort(),
      signal: abort.signal,
      backoff: { firstMs: 3_600_000, longestMs: 3_600_000 },
    });
    expect(abort.signal.aborted).toBe(true);
  });
});

describe('backoffMs', () => {
  it('lies between half of the doubled wait and all of it', () => {
    const bounds = { firstMs: 100, longestMs: 1_000 };
    expect([0, 1, 2, 3, 4, 50].map((attempt) => backoffMs(attempt, bounds, () => 0))).toEqual([
      50, 100, 200, 400, 500, 500,
    ]);
    expect([0, 1, 4, 5_000].map((attempt) => backoffMs(attempt, bounds, () => 1))).toEqual([100, 200, 1_000, 1_000]);
  });
});
