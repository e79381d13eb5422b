// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { parseDurationMs } from './duration.js';

describe('parseDurationMs', () => {
  it.each([
    ['60s', 60_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['2h', 7_200_000],
    ['90', 90_000],
    ['0', 0],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(['', ' ', 'abc', '-1s', '1 s', '1d', 's', '1e3', '9999999999', '1s\n'])('does not read %j', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});
