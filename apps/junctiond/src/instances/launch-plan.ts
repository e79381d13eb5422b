// SPDX-License-Identifier: Apache-2.0
// From a record to a junction_run command line and its files; pure.
import { type InstanceNetwork, type JunctionConfig, renderJunctionConfig } from '@junctiond/instance-model';

import type { NamespaceFiles } from '../namespace-files.js';
import { networkOf, type NetworkSettings, resolveHosts } from './instance-network.js';
import type { InstancePlaces } from './instance-places.js';
import type { GuestProcess, InstanceRecord } from './instance-record.js';

/** What is the same for all instances of the node. */
export interface LaunchSettings {
  readonly network: NetworkSettings;
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

/** Host id of a guest id. */
export function hostId(slot: number, guestId: number, uidBase: number): number {
  return uidBase + slot * IDS_PER_INSTANCE + guestId;
}

export interface LaunchContext extends NamespaceFiles {
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
  const { range } = settings.network;
  const network = networkOf(record, settings.network);
  const args = [
    places.configFile,
    ...['--name', spec.id],
    ...['--hostname', spec.hostname],
    ...['--chroot_path', context.rootfsDir],
    ...(context.plansDir === undefined ? [] : ['--plan_dir', context.plansDir]),
    ...(context.mntnsFile === undefined ? [] : ['--mntns', context.mntnsFile]),
    ...(spec.readOnlyRoot ? ['--read_only_root'] : []),
    ...['--env_file', places.envFile],
    ...['--uid', String(guest.uid), '--gid', String(guest.gid)],
    ...['--uid_base', String(hostId(record.slot, 0, settings.uidBase))],
    ...['--cwd', guest.cwd],
    ...(record.hasSecrets ? ['--mount', `${context.secretsDir}:${GUEST_SECRETS_DIR}:ro`] : []),
    ...resolveHosts(spec.hosts, network, range).flatMap(([name, address]) => ['--host', `${name}=${address}`]),
    ...nicArgs(network.linksPath, context, settings.network),
    ...['--instance_dir', places.instanceDir],
    ...['--control', places.controlFile],
    ...['--notify', settings.notifySocket],
    ...context.cgroupDirs.flatMap((dir) => ['--cgroup', dir]),
    ...['--log_max_bytes', String(settings.logMaxBytes)],
    '--',
    ...guest.args,
  ];
  const config = renderJunctionConfig({
    hostAddr: network.ip,
    hostNetmask: range.netmask,
    hostGateway: range.gateway,
    hostMtu: settings.mtu,
    ...nicConfig(network, settings.network),
    coreLimit: spec.coreLimit,
    spinningKthreads: network.linksPath === '' ? 0 : (settings.network.nic?.spinningKthreads ?? 0),
    guaranteedCores: 0,
    priority: 'lc',
  });
  return { args, config, env: formatEnv(guest.env) };
}

/** What junction_run needs for a NIC; nothing for an instance on the host's network. */
function nicArgs(linksPath: string, context: LaunchContext, { nic }: NetworkSettings): string[] {
  return nic === undefined || linksPath === ''
    ? []
    : [
        ...['--links', String(nic.links), '--links_path', linksPath],
        ...(context.netnsFile === undefined ? [] : ['--netns', context.netnsFile]),
        ...['--resolv_conf', context.places.resolvConfFile],
      ];
}

function nicConfig({ ip6, mac, linksPath }: InstanceNetwork, { range6 }: NetworkSettings): Pick<JunctionConfig, 'nic'> {
  return linksPath === ''
    ? {}
    : { nic: { hostAddr6: ip6, hostPrefix6: range6.prefixBits, hostGateway6: range6.gateway, hostMac: mac } };
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
