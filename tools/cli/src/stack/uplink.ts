// SPDX-License-Identifier: Apache-2.0
// The uplink of a stack as the host shows it, so that it is found also when no app of the stack runs. All that is here was made by the
// scheduler daemon (native/src/scheduler/uplink): a TAP device, a table of nftables, settings of the host.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
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

const classFolder = '/sys/class/net';

function value(device: string, name: string): string {
  try {
    return readFileSync(join(classFolder, device, name), 'utf8').trim();
  } catch {
    return ''; // it went away
  }
}

/** Undefined: there is no such device. */
export function uplinkState({ device }: NetworkSettings): UplinkState | undefined {
  if (!existsSync(join(classFolder, device))) return undefined;
  return {
    device,
    // A TAP that nobody has open has no carrier: operstate is `down` then, whatever its own flag is.
    isUp: value(device, 'operstate') !== 'down' && value(device, 'carrier') === '1',
    addresses: (networkInterfaces()[device] ?? []).flatMap(({ cidr }) => cidr ?? []),
    mtu: Number(value(device, 'mtu')),
    // What the host sends into a TAP is what instances receive.
    receivedBytes: Number(value(device, 'statistics/tx_bytes')),
    sentBytes: Number(value(device, 'statistics/rx_bytes')),
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
  const needsUplink = existsSync(join(classFolder, device));
  execFileSync(daemon, [...args, ...(needsUplink ? ['--uplink_device', device] : [])], { stdio: 'pipe' });
}

/** Removes what is still there of the uplink; whoever could not be asked (an older build, none) has left it. Throws. */
export function removeUplink({ device }: NetworkSettings): void {
  if (existsSync(join(classFolder, device, 'tun_flags'))) {
    execFileSync('ip', ['link', 'delete', 'dev', device], { stdio: 'pipe' });
  }
  const table = uplinkTable(device);
  if (spawnSync('nft', ['list', 'table', 'inet', table], { stdio: 'ignore' }).status === 0) {
    execFileSync('nft', ['delete', 'table', 'inet', table], { stdio: 'pipe' });
  }
}
