// SPDX-License-Identifier: Apache-2.0
import type { FunctionView, ReplicaView, Wanted } from './function-plan.js';

export const NOW_MS = 1_000_000;
export const CURRENT = 7;
export const OLD = 5;

/** A ready replica of the current generation unless said otherwise. */
export function replica(id: string, more: Partial<ReplicaView> = {}): ReplicaView {
  const phase = more.phase ?? 'ready';
  return {
    id,
    function: { namespace: 'ns', name: 'f' },
    generation: CURRENT,
    phase,
    endpoint: phase === 'ready' ? { host: '127.0.0.1', port: 40_000, linkPath: '', instanceNumber: 0 } : undefined,
    reason: '',
    createdAtMs: 1_000,
    wasReady: phase === 'ready',
    restarts: 0,
    secretsRevision: 's@1',
    ...more,
  };
}

export function view(
  replicas: readonly ReplicaView[],
  wanted: Partial<Wanted> | undefined,
  more: Partial<FunctionView> = {},
): FunctionView {
  return {
    wanted: wanted === undefined ? undefined : { generation: CURRENT, replicas: 1, secretsRevision: 's@1', ...wanted },
    replicas,
    failures: undefined,
    nowMs: NOW_MS,
    ...more,
  };
}
