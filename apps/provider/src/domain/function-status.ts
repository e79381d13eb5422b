// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import type { FunctionRecord } from '@junctiond/function-state';

/** What is known of a function's replicas. */
export interface ReplicaStatus {
  readonly available: number;
  /** Empty = no trouble. */
  readonly reason: string;
}

/** A function as users see it: what they sent, one label more, and how it does. */
export function functionMessageOf(
  record: FunctionRecord,
  status: ReplicaStatus,
  usage?: functionV1.FunctionUsage,
): functionV1.FunctionMessage {
  const { spec } = record;
  return {
    spec: { ...spec, labels: { entries: { ...spec.labels?.entries, faas_function: record.name } } },
    replicas: record.wantedReplicas,
    availableReplicas: status.available,
    createdAt: new Date(record.createdAtMs),
    reason: status.reason,
    ...(usage === undefined ? {} : { usage }),
  };
}
