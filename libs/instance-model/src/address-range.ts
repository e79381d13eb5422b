// SPDX-License-Identifier: Apache-2.0
// The IPv4 range from which instances get their addresses, and the MAC that belongs to each (RFC 4632 for the notation).
import { fail, ok, type Result } from './result.js';

/** An IPv4 network; its first host is the gateway, the others are for instances. */
export interface AddressRange {
  /** Network address, host byte order. */
  readonly network: number;
  readonly prefix: number;
  readonly netmask: string;
  readonly gateway: string;
  /** How many instances can have an address: without network, gateway and broadcast. */
  readonly capacity: number;
}

/** Instances need room (a /30 leaves one address), and a range past /8 is a mistake in writing. */
const MIN_PREFIX = 8;
const MAX_PREFIX = 30;

/** Reads `a.b.c.d/n`; the error says what is wrong. Host bits must be zero, so that nobody means another network than he wrote. */
export function parseAddressRange(text: string): Result<AddressRange> {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) {
    return fail(`"${text}" is not a network: write it as 10.62.0.0/16`);
  }
  const octets = match.slice(1, 5).map(Number);
  const prefix = Number(match[5]);
  if (octets.some((octet) => octet > 255)) {
    return fail(`"${text}" is not a network: an octet is above 255`);
  }
  if (prefix < MIN_PREFIX || prefix > MAX_PREFIX) {
    return fail(`"${text}": the prefix length must be ${MIN_PREFIX} to ${MAX_PREFIX}`);
  }
  const network = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const size = 2 ** (32 - prefix);
  if (network % size !== 0) {
    return fail(`"${text}" has host bits set; the network is ${formatIpv4(network - (network % size))}/${prefix}`);
  }
  return ok({
    network,
    prefix,
    netmask: formatIpv4(2 ** 32 - size),
    gateway: formatIpv4(network + 1),
    capacity: size - 3,
  });
}

/** The address of the instance with this index, 0 .. capacity-1. */
export function addressAt(range: AddressRange, index: number): string {
  if (!Number.isInteger(index) || index < 0 || index >= range.capacity) {
    throw new RangeError(`index ${index} is outside a range of ${range.capacity} addresses`);
  }
  return formatIpv4(range.network + 2 + index);
}

/** Locally administered (IEEE 802, second bit of the first octet), made from the address: 02:6a and its four octets. */
export function macOf(ipv4: string): string {
  const octets = ipv4.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return ['02', '6a', ...octets].join(':');
}

function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
