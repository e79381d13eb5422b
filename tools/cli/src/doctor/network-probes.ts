// SPDX-License-Identifier: Apache-2.0
// What the network of instances needs of the host. Without a NIC in any instance nothing of it is missing, only "worse".
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

import type { NetworkSettings } from '../stack/network-settings.ts';
import { missing, ok, worse } from './probe.ts';
import type { ProbeResult } from './probe.ts';
import { clashesWith, routes4, routes6 } from './range-clash.ts';
import type { HostNetwork } from './range-clash.ts';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

type Fault = typeof missing;

function tun(fault: Fault): ProbeResult {
  return existsSync('/dev/net/tun')
    ? ok('TUN/TAP', '/dev/net/tun')
    : fault(
        'TUN/TAP',
        'no /dev/net/tun',
        'modprobe tun; in a container: --device /dev/net/tun. Without it functions reach nothing outside',
      );
}

function nft(fault: Fault): ProbeResult {
  const result = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8', timeout: 10_000 });
  if (result.error !== undefined) {
    return fault('nftables', 'no nft', './junction up installs it (package nftables)');
  }
  return result.status === 0
    ? ok('nftables', 'nft works')
    : fault('nftables', result.stderr.trim().split('\n')[0] ?? '', 'modprobe nf_tables, and run as root');
}

/** The networks that this host has routes to; addresses have routes, too. */
export function hostNetworks(): HostNetwork[] {
  return [...routes4(read('/proc/net/route')), ...routes6(read('/proc/net/ipv6_route'))];
}

function range(
  name: string,
  network: string,
  device: string,
  variable: string,
  networks: readonly HostNetwork[],
  fault: Fault,
): ProbeResult {
  const clashes = clashesWith(network, device, networks);
  return clashes.length === 0
    ? ok(name, `${network} is free`)
    : fault(
        name,
        `${network} clashes with ${clashes.map((each) => `${each.text} on ${each.device}`).join(', ')}`,
        `set ${variable} to a network that this host has no route to`,
      );
}

/** All probes of a stack's network. */
export function probeNetwork(
  settings: NetworkSettings,
  networks: readonly HostNetwork[] = hostNetworks(),
): ProbeResult[] {
  const fault = settings.kind === 'nic' ? missing : worse;
  const { device } = settings;
  return [
    tun(fault),
    nft(fault),
    range('addresses', settings.range, device, 'JUNCTION_JUNCTIOND_INSTANCE_NETWORK', networks, fault),
    range('IPv6 addresses', settings.range6, device, 'JUNCTION_JUNCTIOND_INSTANCE_NETWORK6', networks, fault),
  ];
}
