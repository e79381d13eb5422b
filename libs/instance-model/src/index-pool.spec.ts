// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { IndexPool } from './index-pool.js';

describe('IndexPool', () => {
  it('gives each index once, then none', () => {
    const pool = new IndexPool(3);
    expect([pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([0, 1, 2, undefined]);
    expect(pool.taken).toBe(3);
  });

  it('goes round before it reuses a released index', () => {
    const pool = new IndexPool(3);
    pool.release(pool.allocate() ?? -1);
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([1, 2, 0]);
  });

  it('reuses the one that was given back longest ago', () => {
    const pool = new IndexPool(4);
    [0, 1, 2, 3].forEach(() => pool.allocate());
    [2, 0, 3].forEach((index) => pool.release(index));
    expect([pool.allocate(), pool.allocate()]).toEqual([2, 0]);
    pool.release(2);
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([3, 2, undefined]);
  });

  it('does not take an index back twice, or one that it never gave', () => {
    const pool = new IndexPool(2);
    pool.release(1);
    const first = pool.allocate() ?? -1;
    pool.release(first);
    pool.release(first);
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([1, 0, undefined]);
  });

  it('starts where it is told and wraps', () => {
    const pool = new IndexPool(4, 7);
    expect([pool.allocate(), pool.allocate()]).toEqual([3, 0]);
  });

  it('keeps reserved ones from being given out', () => {
    const pool = new IndexPool(3);
    expect(pool.reserve(1)).toBe(true);
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([0, 2, undefined]);
  });

  it('refuses to reserve what is taken or outside', () => {
    const pool = new IndexPool(2);
    pool.reserve(0);
    expect([pool.reserve(0), pool.reserve(2), pool.reserve(-1), pool.reserve(0.5)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('has nothing to give when empty', () => {
    expect(new IndexPool(0, 5).allocate()).toBeUndefined();
  });
});
