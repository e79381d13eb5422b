// SPDX-License-Identifier: Apache-2.0
// From a record to a junction_run command line and its files; pure.
import { addressAt, type AddressRange, macOf, queuePairsOf, renderJunctionConfig } from '@junctiond/instance-model';

import type { GuestProcess, InstanceRecord } from './instance-record.js';
import type { InstancePlaces } from './instance-places.js';

/** What is the same for all instances of the node. */
export interface LaunchSettings {
  readonly range: AddressRange;
  /** Host uid of guest uid 0 of the instance with slot 0. */
  readonly uidBase: number;
  readonly notifySocket: string;
  readonly logMaxBytes: number;
  readonly mtu: number;
}

export interface LaunchPlan {
  readonly args: readonly string[];
  readonly config: string;
  /** For --env_file: entries that end in NUL. */
  readonly env: string;
}

/** Each instance owns this many host ids. */
export const IDS_PER_INSTANCE = 65_536;
/** Where functions find their secrets (OpenFaaS). */
const GUEST_SECRETS_DIR = '/var/openfaas/secrets';

/** The instance's address, MAC and queue pairs. */
export function networkOf(
  record: InstanceRecord,
  range: AddressRange,
): { ip: string; mac: string; queuePairs: number } {
  const ip = addressAt(range, record.slot);
  return { ip, mac: macOf(ip), queuePairs: queuePairsOf(record.spec) };
}

/** Host id of a guest id. */
export function hostId(slot: number, guestId: number, uidBase: number): number {
  return uidBase + slot * IDS_PER_INSTANCE + guestId;
}

export interface LaunchContext {
  readonly places: InstancePlaces;
  readonly rootfsDir: string;
  /** Patch plans for the image's programs. */
  readonly plansDir?: string;
  readonly secretsDir: string;
  readonly cgroupDirs: readonly string[];
}

export function planLaunch(record: InstanceRecord, context: LaunchContext, settings: LaunchSettings): LaunchPlan {
  const { spec, guest } = record;
  const { places } = context;
  const args = [
    places.configFile,
    ...['--name', spec.id],
    ...['--hostname', spec.hostname],
    ...['--chroot_path', context.rootfsDir],
    ...(context.plansDir === undefined ? [] : ['--plan_dir', context.plansDir]),
    ...(spec.readOnlyRoot ? ['--read_only_root'] : []),
    ...['--env_file', places.envFile],
    ...['--uid', String(guest.uid), '--gid', String(guest.gid)],
    ...['--uid_base', String(hostId(record.slot, 0, settings.uidBase))],
    ...['--cwd', guest.cwd],
    ...(record.hasSecrets ? ['--mount', `${context.secretsDir}:${GUEST_SECRETS_DIR}:ro`] : []),
    ...Object.entries(spec.hosts).flatMap(([name, address]) => ['--host', `${name}=${address}`]),
    ...['--instance_dir', places.instanceDir],
    ...['--control', places.controlFile],
    ...['--notify', settings.notifySocket],
    ...context.cgroupDirs.flatMap((dir) => ['--cgroup', dir]),
    ...['--log_max_bytes', String(settings.logMaxBytes)],
    '--',
    ...guest.args,
  ];
  const config = renderJunctionConfig({
    hostAddr: addressAt(settings.range, record.slot),
    hostNetmask: settings.range.netmask,
    hostGateway: settings.range.gateway,
    hostMtu: settings.mtu,
    coreLimit: spec.coreLimit,
    spinningKthreads: 0,
    guaranteedCores: 0,
    priority: 'lc',
  });
  return { args, config, env: formatEnv(guest.env) };
}

/** A further program of a running instance. `envFile` is where `env` goes. */
export function planUproc(
  id: string,
  guest: Pick<GuestProcess, 'args' | 'env' | 'cwd'>,
  files: { readonly instanceDir: string; readonly envFile: string },
  settings: Pick<LaunchSettings, 'notifySocket'>,
): Pick<LaunchPlan, 'args' | 'env'> {
  const args = [
    ...['--add_to', files.instanceDir],
    ...['--name', id],
    ...['--notify', settings.notifySocket],
    ...['--env_file', files.envFile],
    ...['--cwd', guest.cwd],
    '--',
    ...guest.args,
  ];
  return { args, env: formatEnv(guest.env) };
}

function formatEnv(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
}
