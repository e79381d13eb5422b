// SPDX-License-Identifier: Apache-2.0
// The /etc/resolv.conf of an instance with a NIC, from the host's (resolv.conf(5)); pure.
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** MAXNS of resolv.h: what comes after is ignored by every libc. */
const MAX_SERVERS = 3;
/** Most of a host's search list that a guest gets to see. */
const MAX_LINE_LENGTH = 1024;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addSubnet('0.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
LOOPBACK.addAddress('::', 'ipv6');

/**
 * The host's resolvers where the instance can reach them. One on the host's loopback is reached by the uplink's address, which the scheduler
 * daemon passes on; without any, that is what libc would ask on the host. `search` and `options` stay as they are.
 */
export function instanceResolvConf(hostText: string, uplinkAddress: string): string {
  const lines = hostText.split('\n').map((line) => line.trim());
  const named = lines.flatMap((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  // A link-local resolver is on a link that the instance is not on.
  const reachable = named.map((server) => (isReachable(server) ? server : uplinkAddress));
  const servers = [...new Set(reachable.length === 0 ? [uplinkAddress] : reachable)].slice(0, MAX_SERVERS);
  const kept = lines.filter((line) => /^(search|domain|options)\s/.test(line) && line.length <= MAX_LINE_LENGTH);
  return [...servers.map((server) => `nameserver ${server}`), ...kept, ''].join('\n');
}

function isReachable(server: string): boolean {
  if (isIPv4(server)) {
    return !LOOPBACK.check(server, 'ipv4') && !server.startsWith('169.254.');
  }
  return isIPv6(server) && !server.includes('%') && !LOOPBACK.check(server, 'ipv6') && !/^fe[89ab]/i.test(server);
}
