// SPDX-License-Identifier: Apache-2.0
// The uplink of a stack as the host shows it, so that it is found also when no app of the stack runs. All that is here was made by the
// scheduler daemon (native/src/scheduler/uplink): a TAP device, a table of nftables, settings of the host.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { NetworkSettings } from './network-settings.ts';
import type { StackSettings } from './stack-settings.ts';

export interface UplinkState {
  readonly device: string;
  /** Frames can pass: the device is up, and the daemon holds it. */
  readonly isUp: boolean;
  readonly addresses: readonly string[];
  readonly mtu: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** What `ip -j -s address show` says of a device, as far as it is used. */
interface Device {
  readonly flags?: readonly string[];
  readonly mtu?: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
  readonly stats64?: { readonly rx?: { readonly bytes?: number }; readonly tx?: { readonly bytes?: number } };
}

/** By netlink, which is right in any network namespace; /sys is that of where it was mounted. */
function deviceOf(name: string): Device | undefined {
  const result = spawnSync('ip', ['-j', '-s', '-d', 'address', 'show', 'dev', name], { encoding: 'utf8' });
  if (result.status !== 0) return undefined; // there is none, or no ip(8)
  return (JSON.parse(result.stdout) as Device[])[0];
}

/** Undefined: there is no such device. */
export function uplinkState({ device: name }: NetworkSettings): UplinkState | undefined {
  const device = deviceOf(name);
  if (device === undefined) return undefined;
  return {
    device: name,
    // A TAP that nobody has open has no carrier, whatever else its flags say.
    isUp: device.flags?.includes('LOWER_UP') === true,
    addresses: (device.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    mtu: device.mtu ?? 0,
    // What the host sends into a TAP is what instances receive.
    receivedBytes: device.stats64?.tx?.bytes ?? 0,
    sentBytes: device.stats64?.rx?.bytes ?? 0,
  };
}

/** As scheduler/uplink/nft_policy.cc names it. */
export function uplinkTable(device: string): string {
  return `junction_${device.replace(/[^A-Za-z0-9_]/g, '_')}`;
}

/** Has a dead daemon's changes put back: idle states, settings of the host, device and table. Throws what hinders it. */
export function restoreHost({ root, paths, network: { device }, environment }: StackSettings): void {
  const daemon = environment['JUNCTION_SCHEDULER_BINARY'] ?? join(root, 'native/build/release/junction_scheduler');
  if (!existsSync(daemon) || !existsSync(paths.runDir)) return;
  const args = ['--restore', '--run_dir', paths.runDir];
  const needsUplink = deviceOf(device) !== undefined;
  execFileSync(daemon, [...args, ...(needsUplink ? ['--uplink_device', device] : [])], { stdio: 'pipe' });
}

/** Removes what is still there of the uplink; whoever could not be asked (an older build, none) has left it. Throws. */
export function removeUplink({ device }: NetworkSettings): void {
  // Only a TAP is ours to remove.
  if (deviceOf(device)?.linkinfo?.info_kind === 'tun') {
    execFileSync('ip', ['link', 'delete', 'dev', device], { stdio: 'pipe' });
  }
  const table = uplinkTable(device);
  if (spawnSync('nft', ['list', 'table', 'inet', table], { stdio: 'ignore' }).status === 0) {
    execFileSync('nft', ['delete', 'table', 'inet', table], { stdio: 'pipe' });
  }
}
