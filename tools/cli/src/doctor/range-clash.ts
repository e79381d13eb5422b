// SPDX-License-Identifier: Apache-2.0
// Whether a range for instances is in use on this host; pure. The texts are those of /proc/net (proc(5), ip-route(8)).
import { isIPv4 } from 'node:net';

import { addressValue } from '@junctiond/config';

/** A network of the host, and why it is one. */
export interface HostNetwork {
  readonly address: bigint;
  readonly prefix: number;
  readonly family: 4 | 6;
  readonly device: string;
  /** For people: `10.62.0.0/16`. */
  readonly text: string;
}

/** Flags of the tables (linux/route.h, linux/ipv6_route.h). */
const RTF_UP = 1;
const RTF_LOCAL = 0x8000_0000;

/** The routes of /proc/net/route but for default ones; addresses there are in host order of a little endian machine. */
export function routes4(text: string): HostNetwork[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device = '', destination = '', , flags = '', , , , mask = ''] = line.trim().split(/\s+/);
      if (!/^[0-9A-F]{8}$/i.test(destination) || !/^[0-9A-F]{8}$/i.test(mask)) return [];
      const prefix = reversed(mask).toString(2).replaceAll('0', '').length;
      if (prefix === 0 || (parseInt(flags, 16) & RTF_UP) === 0) return [];
      const address = reversed(destination);
      return [{ address, prefix, family: 4 as const, device, text: `${dotted(address)}/${prefix}` }];
    });
}

/** The routes of /proc/net/ipv6_route but for default and multicast ones. */
export function routes6(text: string): HostNetwork[] {
  return text.split('\n').flatMap((line) => {
    const [destination = '', prefixText = '', , , , , , , flags = '', device = ''] = line.trim().split(/\s+/);
    const prefix = parseInt(prefixText, 16);
    if (!/^[0-9a-f]{32}$/.test(destination) || !(prefix > 0) || destination.startsWith('ff')) return [];
    // Older kernels say that own addresses are of lo; the network that they are in has a route as well.
    if (device === 'lo' && (parseInt(flags, 16) & RTF_LOCAL) !== 0) return [];
    const address = BigInt(`0x${destination}`);
    const groups = destination.match(/.{4}/g) ?? [];
    const short = new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
    return [{ address, prefix, family: 6 as const, device, text: `${short}/${prefix}` }];
  });
}

/** The networks that overlap with the range, but for those of the device that is to have it. */
export function clashesWith(range: string, device: string, networks: readonly HostNetwork[]): HostNetwork[] {
  const [address = '', prefixText = ''] = range.split('/');
  const family = isIPv4(address) ? 4 : 6;
  const bits = family === 4 ? 32 : 128;
  const value = addressValue(address);
  return networks.filter((network) => {
    if (network.family !== family || network.device === device) return false;
    const common = BigInt(bits - Math.min(Number(prefixText), network.prefix));
    return value >> common === network.address >> common;
  });
}

function reversed(hex: string): bigint {
  return BigInt(`0x${(hex.match(/../g) ?? []).reverse().join('')}`);
}

function dotted(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 255n)).join('.');
}
