// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { address6At, parseAddressRange6 } from './address-range6.js';

describe('parseAddressRange6', () => {
  it('gives the first address to the host and the others to instances', () => {
    const range = parseAddressRange6('fd12:3456:789a::/64');
    if (!range.ok) throw new Error(range.error);
    expect(range.value.gateway).toBe('fd12:3456:789a::1');
    expect(address6At(range.value, 0)).toBe('fd12:3456:789a::2');
    expect(address6At(range.value, 65_534)).toBe('fd12:3456:789a::1:0');
    expect(() => address6At(range.value, -1)).toThrow(RangeError);
  });

  it('keeps a fourth group', () => {
    const range = parseAddressRange6('2001:db8:0:5::/64');
    expect(range.ok && range.value.gateway).toBe('2001:db8:0:5::1');
  });

  it.each(['fd12::/48', 'fd12::1/64', '10.0.0.0/24', 'fe80::/64', 'ff00::/64', '::/64', 'fd12::', 'fd12::%1/64', ''])(
    'refuses %s',
    (text) => {
      expect(parseAddressRange6(text).ok).toBe(false);
    },
  );
});
