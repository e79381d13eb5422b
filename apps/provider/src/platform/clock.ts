// SPDX-License-Identifier: Apache-2.0

/** Time as the provider sees it; tests bring their own. */
export interface Clock {
  /** Unix milliseconds that never go back. */
  nowMs(): number;
  /** Calls `work` once after `delayMs`, unless the returned function was called before. */
  after(delayMs: number, work: () => void): () => void;
}

/** Longest delay that setTimeout takes (2^31 - 1 ms); a longer one would fire at once. */
const MAX_DELAY_MS = 2_147_483_647;

export const systemClock: Clock = {
  nowMs: () => Math.floor(performance.timeOrigin + performance.now()),
  after: (delayMs, work) => {
    const timer = setTimeout(work, Math.min(MAX_DELAY_MS, Math.max(0, delayMs)));
    return () => clearTimeout(timer);
  },
};
