// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { BoundedQueue } from './bounded-queue.js';

describe('BoundedQueue', () => {
  it('hands items over in order, also to one who waits', async () => {
    const queue = new BoundedQueue<number>(10);
    const taker = queue.take(new AbortController().signal);
    queue.push(1);
    queue.push(2);
    await expect(taker.next()).resolves.toMatchObject({ value: 1 });
    await expect(taker.next()).resolves.toMatchObject({ value: 2 });
    const third = taker.next();
    queue.push(3);
    await expect(third).resolves.toMatchObject({ value: 3 });
  });

  it('tells a taker who is too slow, and keeps nothing for him', async () => {
    const queue = new BoundedQueue<number>(2);
    [1, 2, 3, 4].forEach((item) => {
      queue.push(item);
    });
    await expect(queue.take(new AbortController().signal).next()).rejects.toMatchObject({ kind: 'resource_exhausted' });
  });

  it('ends when it is told, also while it waits', async () => {
    const stop = new AbortController();
    const queue = new BoundedQueue<number>(2);
    const waiting = queue.take(stop.signal).next();
    stop.abort();
    await expect(waiting).resolves.toMatchObject({ done: true });
    queue.push(1);
    await expect(queue.take(stop.signal).next()).resolves.toMatchObject({ done: true });
  });
});
