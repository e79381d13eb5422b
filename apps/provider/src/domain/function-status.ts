// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import type { FunctionRecord } from '@junctiond/function-state';
import type { ReplicaFailure } from './replica.js';

/** What is known of a function's replicas. */
export interface ReplicaStatus {
  readonly available: number;
  /** Empty = no trouble. */
  readonly reason: string;
  /** The last one, also when replicas are available again. */
  readonly lastFailure?: FunctionFailure;
}

/** How a replica ended, or did not come up. */
export interface FunctionFailure extends ReplicaFailure {
  /** Empty: none came to be. */
  readonly instance: string;
}

/** Of two failures the later one. */
export function laterFailure(
  a: FunctionFailure | undefined,
  b: FunctionFailure | undefined,
): FunctionFailure | undefined {
  return a === undefined || (b !== undefined && b.atMs > a.atMs) ? b : a;
}

/** A function as users see it: what they sent, one label more, and how it does. */
export function functionMessageOf(
  record: FunctionRecord,
  status: ReplicaStatus,
  usage?: functionV1.FunctionUsage,
): functionV1.FunctionMessage {
  const { spec } = record;
  const { lastFailure } = status;
  return {
    spec: { ...spec, labels: { entries: { ...spec.labels?.entries, faas_function: record.name } } },
    replicas: record.wantedReplicas,
    availableReplicas: status.available,
    createdAt: new Date(record.createdAtMs),
    reason: status.reason,
    ...(lastFailure === undefined
      ? {}
      : {
          lastFailure: {
            reason: lastFailure.reason,
            at: new Date(lastFailure.atMs),
            instance: lastFailure.instance,
          },
        }),
    ...(usage === undefined ? {} : { usage }),
  };
}
