// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { addressAt, type AddressRange, macOf, parseAddressRange } from './address-range.js';

const range = (text: string): AddressRange => {
  const parsed = parseAddressRange(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

describe('parseAddressRange', () => {
  it('knows netmask, gateway and room', () => {
    expect(range('10.62.0.0/16')).toMatchObject({ netmask: '255.255.0.0', gateway: '10.62.0.1', capacity: 65_533 });
    expect(range('192.168.7.64/30')).toMatchObject({
      netmask: '255.255.255.252',
      gateway: '192.168.7.65',
      capacity: 1,
    });
  });

  it.each([
    ['10.62.0.0', 'write it as'],
    ['10.62.0.0/', 'write it as'],
    ['10.62.0/16', 'write it as'],
    ['10.62.0.256/24', 'above 255'],
    ['10.62.0.0/31', 'prefix length'],
    ['0.0.0.0/0', 'prefix length'],
    ['10.62.0.1/16', 'the network is 10.62.0.0/16'],
    ['fd00::/64', 'write it as'],
  ])('refuses %s', (text, reason) => {
    const parsed = parseAddressRange(text);
    expect(parsed.ok ? '' : parsed.error).toContain(reason);
  });
});

describe('addressAt', () => {
  it('gives the addresses after the gateway, up to the one before broadcast', () => {
    const small = range('10.0.0.0/29');
    const addresses = Array.from({ length: small.capacity }, (_, index) => addressAt(small, index));
    expect(addresses).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    expect(() => addressAt(small, 5)).toThrow(RangeError);
    expect(() => addressAt(small, -1)).toThrow(RangeError);
  });

  it('carries into the next octet', () => {
    expect(addressAt(range('10.62.0.0/16'), 254)).toBe('10.62.1.0');
  });
});

describe('macOf', () => {
  it('is locally administered and unique per address', () => {
    expect(macOf('10.62.1.255')).toBe('02:6a:0a:3e:01:ff');
  });
});
