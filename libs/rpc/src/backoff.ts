// SPDX-License-Identifier: Apache-2.0

/** Bounds of the waits between tries. */
export interface BackoffBounds {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** For servers of the same node: nearly at once, then at most a second between tries. Chosen. */
export const defaultBackoff: BackoffBounds = { firstMs: 25, longestMs: 1_000 };

/**
 * The wait before try number `attempt` (0 = the first repetition): doubling, and full jitter over its upper half so that
 * many clients of one server do not come back together. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, bounds: BackoffBounds, random: () => number): number {
  const ceiling = Math.min(bounds.longestMs, bounds.firstMs * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (ceiling / 2) * random();
}
