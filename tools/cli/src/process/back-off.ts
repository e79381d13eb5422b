// SPDX-License-Identifier: Apache-2.0

const firstMs = 100;
const longestMs = 10_000;
/** A process that ran this long was well: its next restart is the first again. */
export const settledAfterMs = 10_000;

/** How long to wait before restart number `restart` (from 1) in a row: 100 ms, doubled each time, at most 10 s. */
export function backOffMs(restart: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.max(0, Math.min(restart - 1, 20)));
}
