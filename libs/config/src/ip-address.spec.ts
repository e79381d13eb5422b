// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { addressValue } from './ip-address.js';

describe('addressValue', () => {
  it.each([
    ['10.0.0.1', 0x0a00_0001n],
    ['::', 0n],
    ['::1', 1n],
    ['1::', 1n << 112n],
    ['1:2:3:4:5:6:7:8', 0x0001_0002_0003_0004_0005_0006_0007_0008n],
    ['::ffff:1.2.3.4', 0xffff_0102_0304n],
  ])('%s', (text, value) => {
    expect(addressValue(text)).toBe(value);
  });
});
