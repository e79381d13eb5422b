// SPDX-License-Identifier: Apache-2.0
// The IPv6 range from which instances get their addresses: beside each IPv4 address one with the same index.
import { isIPv6 } from 'node:net';

import { addressValue } from '@junctiond/config';

import { fail, ok, type Result } from './result.js';

/** An IPv6 /64; its first address is the host's, the others are for instances. */
export interface AddressRange6 {
  /** The first 64 bits as four groups: `fd12:3456:789a:0`. */
  readonly prefix: string;
  readonly prefixBits: 64;
  readonly gateway: string;
}

/** Reads `fd12:3456:789a::/64`; the error says what is wrong. */
export function parseAddressRange6(text: string): Result<AddressRange6> {
  const [address = '', prefix, ...more] = text.split('/');
  if (!isIPv6(address) || address.includes('%') || prefix !== '64' || more.length > 0) {
    return fail(`"${text}" is not an IPv6 network of /64: write it as fd12:3456:789a::/64`);
  }
  const value = addressValue(address);
  if (value % (1n << 64n) !== 0n) {
    return fail(`"${text}" has host bits set below /64`);
  }
  // Global unicast or unique local; all else means something else (RFC 4291, 2.4).
  const first = value >> 112n;
  if (!((first >= 0x2000n && first < 0x4000n) || (first >= 0xfc00n && first < 0xfe00n))) {
    return fail(`"${text}" is neither a unique local (fd00::/8) nor a global network`);
  }
  const groups = [112n, 96n, 80n, 64n].map((shift) => ((value >> shift) & 0xffffn).toString(16));
  return ok({ prefix: groups.join(':'), prefixBits: 64, gateway: format6(groups, 1) });
}

/** The address of the instance with this index, as `addressAt` for IPv4. */
export function address6At(range: AddressRange6, index: number): string {
  if (!Number.isInteger(index) || index < 0 || index > 0xffff_fffd) {
    throw new RangeError(`index ${index} is outside the range`);
  }
  return format6(range.prefix.split(':'), index + 2);
}

/** With the longest run of zeros as `::`, which is the URL parser's form (RFC 5952, 4.2). */
function format6(groups: readonly string[], host: number): string {
  const low = [Math.floor(host / 65_536), host % 65_536].map((group) => group.toString(16));
  return new URL(`http://[${[...groups, '0', '0', ...low].join(':')}]/`).hostname.slice(1, -1);
}
