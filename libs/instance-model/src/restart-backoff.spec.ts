// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { countFailure, restartDelayMs } from './restart-backoff.js';

const settings = { baseMs: 200, maxMs: 30_000, stableMs: 10_000 };

describe('restartDelayMs', () => {
  it('doubles from the base up to the maximum', () => {
    const longest = [1, 2, 3, 4, 8, 9, 50, 5000].map((failures) =>
      restartDelayMs(failures, 1 - Number.EPSILON, settings),
    );
    expect(longest).toEqual([200, 400, 800, 1600, 25_600, 30_000, 30_000, 30_000]);
  });

  it('spreads over the upper half', () => {
    expect(restartDelayMs(3, 0, settings)).toBe(400);
    expect(restartDelayMs(3, 0.5, settings)).toBe(600);
  });

  it('treats a count below one as the first failure', () => {
    expect(restartDelayMs(0, 0, settings)).toBe(100);
  });
});

describe('countFailure', () => {
  it('counts ends in a row', () => {
    expect(countFailure(0, 50, settings)).toBe(1);
    expect(countFailure(4, 9_999, settings)).toBe(5);
  });

  it('starts anew after a stable time', () => {
    expect(countFailure(4, 10_000, settings)).toBe(1);
  });
});
