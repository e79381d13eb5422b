// SPDX-License-Identifier: Apache-2.0
// How the instances of this node are connected, and what follows from that for one of them; pure.
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import {
  addressAt,
  address6At,
  type AddressRange,
  type AddressRange6,
  type InstanceNetwork,
  hasProcess,
  macOf,
  NODE_HOST,
  queuePairsOf,
} from '@junctiond/instance-model';

import type { InstanceRecord } from './instance-record.js';

/** What is the same for all instances of the node. */
export interface NetworkSettings {
  readonly range: AddressRange;
  readonly range6: AddressRange6;
  /** Absent: instances are on the host's network. */
  readonly nic?: {
    /** Folder of the sockets by which processes of the node get links. */
    readonly linksDir: string;
    /** Links that an instance has room for. */
    readonly links: number;
    readonly spinningKthreads: number;
  };
}

/** sun_path without its end mark (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;
/** The host's loopback as a guest on the host's network reaches it; 127.0.0.1 is its own there. */
const HOST_LOOPBACK = '127.0.0.2';
const OWN_LOOPBACK = '127.0.0.1';

/**
 * The instance's addresses, MAC and links: of the run that goes on, else of the next one. What runs keeps what it was started with,
 * also when a later junctiond is configured otherwise.
 */
export function networkOf(record: InstanceRecord, settings: NetworkSettings): InstanceNetwork {
  const planned = plannedNetwork(record, settings);
  if (!hasProcess(record.state)) {
    return planned;
  }
  // A record of before there were NICs has none.
  return record.network ?? { ...planned, linksPath: '', number: 0 };
}

/** What an instance gets when it is started now. */
export function plannedNetwork(record: InstanceRecord, settings: NetworkSettings): InstanceNetwork {
  const ip = addressAt(settings.range, record.slot);
  return {
    ip,
    ip6: address6At(settings.range6, record.slot),
    mac: macOf(ip),
    queuePairs: queuePairsOf(record.spec),
    // Slots are far below 2^24: each has 65,536 of the host's 2^32 uids.
    ...(settings.nic === undefined
      ? { linksPath: '', number: 0 }
      : { linksPath: linksPathOf(record.spec.id, settings.nic.linksDir), number: record.slot + 1 }),
  };
}

/** Where the host reaches what the guest listens on. */
export function listenHost({ ip, linksPath }: InstanceNetwork): string {
  return linksPath === '' ? OWN_LOOPBACK : ip;
}

/** What the guest's /etc/hosts says for NODE_HOST: the node as the instance reaches it. */
export function nodeHost(network: InstanceNetwork, range: AddressRange): string {
  return network.linksPath === '' ? HOST_LOOPBACK : range.gateway;
}

/** Extra lines of /etc/hosts with their addresses. */
export function resolveHosts(
  hosts: Readonly<Record<string, string>>,
  network: InstanceNetwork,
  range: AddressRange,
): [string, string][] {
  return Object.entries(hosts).map(([name, address]) => [
    name,
    address === NODE_HOST ? nodeHost(network, range) : address,
  ]);
}

/** By the id where that fits into a socket's address, else by its hash. */
function linksPathOf(id: string, linksDir: string): string {
  const path = join(linksDir, id);
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
    ? path
    : join(linksDir, createHash('sha256').update(id).digest('hex').slice(0, 16));
}
