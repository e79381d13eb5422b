// SPDX-License-Identifier: Apache-2.0
import { isIPv4 } from 'node:net';

/** A valid address as a number of 32 or 128 bits. */
export function addressValue(address: string): bigint {
  if (isIPv4(address)) {
    return address.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  }
  // The URL parser writes every form (embedded IPv4 too) as groups of hex digits with one `::`.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [first, last] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}
