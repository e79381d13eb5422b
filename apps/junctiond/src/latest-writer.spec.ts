// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';

import { LatestWriter } from './latest-writer.js';

let started: number[];
let finish: ((error?: Error) => void)[];
let writer: LatestWriter<number>;

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  started = [];
  finish = [];
  writer = new LatestWriter((value) => {
    started.push(value);
    return new Promise((resolve, reject) =>
      finish.push((error) => {
        if (error === undefined) resolve();
        else reject(error);
      }),
    );
  });
});

describe('LatestWriter', () => {
  it('writes one at a time and leaves out what is outdated', async () => {
    const first = writer.write(1);
    const second = writer.write(2);
    const third = writer.write(3);
    expect(started).toEqual([1]);
    finish[0]?.();
    await first;
    await settle();
    expect(started).toEqual([1, 3]);
    finish[1]?.();
    await Promise.all([second, third]);
    void writer.write(4);
    expect(started).toEqual([1, 3, 4]);
  });

  it('tells each caller of its own failure and goes on', async () => {
    const first = writer.write(1);
    const second = writer.write(2);
    finish[0]?.(new Error('disk full'));
    await expect(first).rejects.toThrow('disk full');
    await settle();
    finish[1]?.();
    await second;
    expect(started).toEqual([1, 2]);
  });

  it('finishes what was begun when it is closed, and writes nothing after that', async () => {
    const first = writer.write(1);
    const second = writer.write(2);
    const closed = writer.close();
    await writer.write(3);
    finish[0]?.();
    await first;
    await settle();
    finish[1]?.();
    await Promise.all([second, closed]);
    await writer.write(4);
    expect(started).toEqual([1, 2]);
  });
});
