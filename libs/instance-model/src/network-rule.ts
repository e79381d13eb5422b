// SPDX-License-Identifier: Apache-2.0
// What an instance may reach although the node's policy forbids it, as people write it and as it is enforced.
import { isIPv4, isIPv6 } from 'node:net';

import { addressValue } from '@junctiond/config';

import { fail, ok, type Result } from './result.js';

/** A destination: TCP and UDP to any address of a network. */
export interface NetworkRule {
  /** `10.0.0.0/8`, `fd00::/8`; a single address has /32 or /128. Host bits are zero. */
  readonly to: string;
  /** 0 = every port. */
  readonly port: number;
}

/** Each rule is an entry in sets of the host's packet filter. */
export const MAX_NETWORK_RULES = 64;

/** Reads one rule: `10.0.0.0/8:443`, `10.1.2.3`, `[fd00::/8]:443`, `fd00::1`. The error is a sentence about it. */
export function parseNetworkRule(text: string): Result<NetworkRule> {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([\d.]+(?:\/\d{1,2})?)(?::(\d{1,5}))?$/.exec(text);
  const match = bracketed ?? plain;
  const portText = match?.[2];
  const to = parseNetwork(match?.[1] ?? text);
  if (!to.ok) {
    return fail(`${JSON.stringify(text)}: ${to.error}`);
  }
  const port = portText === undefined ? 0 : Number(portText);
  if (portText !== undefined && (port < 1 || port > 65_535)) {
    return fail(`${JSON.stringify(text)}: a port is 1 to 65535`);
  }
  return ok({ to: to.value, port });
}

/** Reads rules separated by commas. All faults at once; none for an empty text. */
export function parseNetworkRules(text: string): { readonly rules: readonly NetworkRule[]; readonly faults: string[] } {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const results = parts.slice(0, MAX_NETWORK_RULES + 1).map(parseNetworkRule);
  const faults = results.flatMap((result) => (result.ok ? [] : [result.error]));
  if (parts.length > MAX_NETWORK_RULES) {
    faults.push(`at most ${MAX_NETWORK_RULES} destinations`);
  }
  return { rules: results.flatMap((result) => (result.ok ? [result.value] : [])), faults };
}

/** The network in its usual form, with a prefix length; refuses host bits, so that nobody allows more than he wrote. */
export function parseNetwork(text: string): Result<string> {
  const [address = '', prefixText, ...more] = text.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : 0;
  const hasPrefix = prefixText !== undefined && /^\d{1,3}$/.test(prefixText);
  if (bits === 0 || more.length > 0 || (prefixText !== undefined && !hasPrefix)) {
    return fail('is no address or network such as 10.0.0.0/8, 10.1.2.3:443 or [fd00::/8]:443');
  }
  const prefix = hasPrefix ? Number(prefixText) : bits;
  if (prefix > bits) {
    return fail(`a prefix length is at most ${bits}`);
  }
  const value = addressValue(address);
  const hostBits = BigInt(bits - prefix);
  if (value !== (value >> hostBits) << hostBits) {
    return fail(`has host bits set below /${prefix}`);
  }
  return ok(`${bits === 32 ? address : new URL(`http://[${address}]/`).hostname.slice(1, -1)}/${prefix}`);
}
