// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { auxiliaryValue, isAtLeast } from './host-probes.ts';

describe('isAtLeast', () => {
  it.each([
    ['6.1.0-27-amd64', true],
    ['6.18.44', true],
    ['7.0', true],
    ['6.0.9', false],
    ['5.19.0', false],
  ])('%s against 6.1: %s', (version, expected) => {
    expect(isAtLeast(version, 6, 1)).toBe(expected);
  });
});

describe('auxiliaryValue', () => {
  const auxv = Buffer.alloc(32);
  auxv.writeBigUInt64LE(16n, 0);
  auxv.writeBigUInt64LE(5n, 8);
  auxv.writeBigUInt64LE(26n, 16);
  auxv.writeBigUInt64LE(2n, 24);

  it('finds a value by its type', () => {
    expect(auxiliaryValue(auxv, 26n)).toBe(2n);
  });

  it('answers undefined for one that is not there', () => {
    expect(auxiliaryValue(auxv, 33n)).toBeUndefined();
  });
});
