// SPDX-License-Identifier: Apache-2.0

/** The failed starts of one generation of a function since its last success. */
export interface FailureLog {
  readonly generation: number;
  readonly count: number;
  /** The latest one, for people. */
  readonly reason: string;
  /** No new attempt before. */
  readonly retryAtMs: number;
  /** Instances whose failure is counted already. */
  readonly counted: readonly string[];
}

export interface FailureBackoff {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** Enough to tell all failed replicas of one attempt apart; older ones are gone by then. */
const MAX_COUNTED = 256;

/** Adds a failure; `instanceId` is undefined where no instance came to be. One instance counts once. */
export function noteFailure(
  log: FailureLog | undefined,
  failure: { generation: number; reason: string; instanceId?: string },
  backoff: FailureBackoff,
  nowMs: number,
): FailureLog {
  const { generation, reason, instanceId } = failure;
  const before = log?.generation === generation ? log : undefined;
  if (instanceId !== undefined && before?.counted.includes(instanceId) === true) {
    return before;
  }
  // Replicas of one attempt fail together: only the first one of them makes the pause longer.
  const isSameAttempt = before !== undefined && nowMs < before.retryAtMs;
  const count = isSameAttempt ? before.count : (before?.count ?? 0) + 1;
  const delayMs = Math.min(backoff.maxDelayMs, backoff.firstDelayMs * 2 ** Math.min(count - 1, 30));
  return {
    generation,
    count,
    reason,
    retryAtMs: isSameAttempt ? before.retryAtMs : nowMs + delayMs,
    counted: [...(before?.counted ?? []), ...(instanceId === undefined ? [] : [instanceId])].slice(-MAX_COUNTED),
  };
}
