// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

/** What the stack's network is called and numbered unless it is configured. */
export interface StackNetwork {
  /** The TAP device of the uplink. */
  readonly device: string;
  /** IPv4 network of the instances. */
  readonly range: string;
  /** IPv6 network of the instances. */
  readonly range6: string;
}

/** IFNAMSIZ without the end mark (netdevice(7)); no character that means something to a shell or to nftables. */
export const deviceNamePattern = /^[A-Za-z0-9_-]{1,15}$/;

const MAX_DEVICE_NAME = 15;
const DEFAULT_STACK = 'junction';

/**
 * The network of a stack, by its name alone, so that stacks run side by side. The stack `junction` has a range that people can
 * remember; each other one a /20 of 10.64.0.0 to 10.255.255.255, 3,072 in all: two meet with one chance in as many, which `doctor` finds.
 */
export function stackNetwork(stack: string): StackNetwork {
  const hash = createHash('sha256').update(`junctiond network ${stack}`).digest();
  const index = hash.readUInt16BE(0) % (192 * 16);
  return {
    device: deviceName(stack, hash),
    range: stack === DEFAULT_STACK ? '10.62.0.0/16' : `10.${64 + Math.floor(index / 16)}.${(index % 16) * 16}.0/20`,
    range6: `${uniqueLocalPrefix(hash)}::/64`,
  };
}

/** A name that is too long ends in a part of its hash. */
function deviceName(stack: string, hash: Buffer): string {
  const whole = `jn-${stack}`;
  return whole.length <= MAX_DEVICE_NAME
    ? whole
    : `${whole.slice(0, MAX_DEVICE_NAME - 5)}-${hash.toString('hex', 8, 10)}`;
}

/** fd and a global id of 40 bits (RFC 4193, 3.2.2: any hash will do), subnet 0; without leading zeros in a group (RFC 5952, 4.1). */
function uniqueLocalPrefix(hash: Buffer): string {
  const groups = [0xfd00 | hash.readUInt8(2), hash.readUInt16BE(3), hash.readUInt16BE(5)];
  return groups.map((group) => group.toString(16)).join(':');
}
