// SPDX-License-Identifier: Apache-2.0
import { StateError } from './state.error.js';

/** Values of `replicas:<ns>:<name>`. */
export const REPLICA_SCHEMA = 1;

/**
 * What was last known of one replica. The truth about it is junctiond's; this record is for those that cannot ask it:
 * other nodes, and a provider that starts while junctiond is down.
 */
export interface ReplicaRecord {
  readonly id: string;
  readonly node: string;
  /** Generation of the function's spec that it was made from. */
  readonly generation: number;
  readonly state: 'ready' | 'draining' | 'not-ready';
  /** Address of its service port; absent while it does not listen. */
  readonly host?: string;
  readonly port?: number;
  /** Where a gateway of that node gets a link to its NIC; absent: it has none. */
  readonly linkPath?: string;
  readonly instanceNumber?: number;
  /** Which secrets were last written into it. */
  readonly secretsRevision: string;
}

export function encodeReplica(replica: ReplicaRecord): string {
  const { id: _id, ...rest } = replica;
  return JSON.stringify({ schema: REPLICA_SCHEMA, ...rest });
}

/** Throws StateError `unreadable`. */
export function decodeReplica(id: string, text: string): ReplicaRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StateError('unreadable', `the record of replica ${id} is no JSON`, { cause: error });
  }
  const { schema, node, generation, state, host, port, linkPath, instanceNumber, secretsRevision } = (value ??
    {}) as Record<string, unknown>;
  if (
    schema !== REPLICA_SCHEMA ||
    typeof node !== 'string' ||
    typeof generation !== 'number' ||
    (state !== 'ready' && state !== 'draining' && state !== 'not-ready') ||
    typeof secretsRevision !== 'string' ||
    (host !== undefined && typeof host !== 'string') ||
    (port !== undefined && typeof port !== 'number') ||
    (linkPath !== undefined && typeof linkPath !== 'string') ||
    (instanceNumber !== undefined && typeof instanceNumber !== 'number')
  ) {
    throw new StateError('unreadable', `the record of replica ${id} cannot be read (schema ${String(schema)})`);
  }
  return {
    id,
    node,
    generation,
    state,
    secretsRevision,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(linkPath === undefined ? {} : { linkPath }),
    ...(instanceNumber === undefined ? {} : { instanceNumber }),
  };
}
