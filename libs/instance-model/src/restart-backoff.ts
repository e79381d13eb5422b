// SPDX-License-Identifier: Apache-2.0

export interface RestartBackoffSettings {
  /** Delay before the first restart. */
  readonly baseMs: number;
  /** No delay is longer. */
  readonly maxMs: number;
  /** An instance that ran at least this long before it ended is restarted as if it never had ended before. */
  readonly stableMs: number;
}

/** How many ends in a row lie behind an instance that now ended after `uptimeMs`, `previous` of them before this one. */
export function countFailure(previous: number, uptimeMs: number, settings: RestartBackoffSettings): number {
  return uptimeMs >= settings.stableMs ? 1 : previous + 1;
}

/**
 * How long to wait before the restart after the `failures`-th end in a row (1 = first): base * 2^(failures-1) up to max, of
 * which the upper half is random, so that instances which fell together do not come back together.
 * `random` is in [0, 1).
 */
export function restartDelayMs(failures: number, random: number, settings: RestartBackoffSettings): number {
  const full = Math.min(settings.maxMs, settings.baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return Math.round(full / 2 + (full / 2) * random);
}
