// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import type { FunctionKey } from './function-key.js';
import { INSTANCE_LABELS } from './instance-template.js';

/**
 * What a replica's instance is doing, as far as the provider cares:
 * - `starting`: has or gets a process that does not listen yet; becomes ready, restarting or failed.
 * - `ready`: listens on its service port.
 * - `restarting`: exited by itself; junctiond starts it again after a back-off.
 * - `stopping`: somebody other than the provider stops it; becomes exited.
 * - `exited`: was stopped, has no process; is replaced.
 * - `failed`: could not be started or never listened; is replaced after a pause.
 */
export type ReplicaPhase = 'starting' | 'ready' | 'restarting' | 'stopping' | 'exited' | 'failed';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Where a gateway of the same node gets a link to its NIC; empty = by host and port only. */
  readonly linkPath: string;
  /** In its node's event queue; 0 = none. */
  readonly instanceNumber: number;
}

/** One instance of a function as junctiond last told it. */
export interface Replica {
  readonly id: string;
  readonly function: FunctionKey;
  readonly generation: number;
  readonly phase: ReplicaPhase;
  /** Where its service port is reached; set whenever it is ready. */
  readonly endpoint: Endpoint | undefined;
  /** For people: why it is not ready. */
  readonly reason: string;
  readonly createdAtMs: number;
  /** It has been ready before; for one that is restarting: in the run that ended last. */
  readonly wasReady: boolean;
  readonly restarts: number;
  /** The last end that nobody asked for, which may be long ago. */
  readonly lastFailure?: ReplicaFailure;
}

/** How a replica ended, or did not come up. */
export interface ReplicaFailure {
  /** For people. */
  readonly reason: string;
  readonly atMs: number;
}

const PHASES: Readonly<Record<instanceV1.InstanceState, ReplicaPhase>> = {
  [instanceV1.InstanceState.INSTANCE_STATE_UNSPECIFIED]: 'failed',
  [instanceV1.InstanceState.INSTANCE_STATE_CREATED]: 'starting',
  [instanceV1.InstanceState.INSTANCE_STATE_STARTING]: 'starting',
  [instanceV1.InstanceState.INSTANCE_STATE_READY]: 'ready',
  [instanceV1.InstanceState.INSTANCE_STATE_STOPPING]: 'stopping',
  [instanceV1.InstanceState.INSTANCE_STATE_BACKING_OFF]: 'restarting',
  [instanceV1.InstanceState.INSTANCE_STATE_EXITED]: 'exited',
  [instanceV1.InstanceState.INSTANCE_STATE_FAILED]: 'failed',
};

/** junctiond's default service port. */
const DEFAULT_SERVICE_PORT = 8080;

/** Undefined: an instance without a spec, which junctiond never sends. */
export function replicaOf(instance: instanceV1.Instance): Replica | undefined {
  const { spec } = instance;
  if (spec === undefined) {
    return undefined;
  }
  const phase = PHASES[instance.state];
  const endpoint = phase === 'ready' ? endpointOf(instance, spec) : undefined;
  return {
    id: spec.id,
    function: {
      namespace: spec.labels[INSTANCE_LABELS.namespace] ?? '',
      name: spec.labels[INSTANCE_LABELS.name] ?? '',
    },
    generation: Number(spec.labels[INSTANCE_LABELS.generation] ?? 0),
    phase: phase === 'ready' && endpoint === undefined ? 'starting' : phase,
    endpoint,
    reason: instance.reason,
    createdAtMs: instance.createdAt?.getTime() ?? 0,
    wasReady: phase === 'restarting' ? wasReadyInLastRun(instance) : instance.readyAt !== undefined,
    restarts: instance.restarts,
    ...lastFailureOf(instance),
  };
}

/** junctiond keeps the time of the last start and of the last time it listened, over all runs. */
function wasReadyInLastRun({ readyAt, startedAt }: instanceV1.Instance): boolean {
  return readyAt !== undefined && (startedAt === undefined || readyAt >= startedAt);
}

function lastFailureOf({ lastFailure }: instanceV1.Instance): Pick<Replica, 'lastFailure'> {
  return lastFailure === undefined
    ? {}
    : { lastFailure: { reason: lastFailure.reason, atMs: lastFailure.at?.getTime() ?? 0 } };
}

function endpointOf(instance: instanceV1.Instance, spec: instanceV1.InstanceSpec): Endpoint | undefined {
  const servicePort = spec.servicePort === 0 ? DEFAULT_SERVICE_PORT : spec.servicePort;
  const published = instance.ports.find(({ guestPort }) => guestPort === servicePort);
  return published === undefined
    ? undefined
    : {
        host: published.host,
        port: published.hostPort,
        linkPath: instance.linksPath,
        instanceNumber: instance.number,
      };
}
