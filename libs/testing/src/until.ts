// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** After this it throws: by then the condition will not come true any more. */
  readonly deadlineMs?: number;
  readonly intervalMs?: number;
}

/**
 * Asks `probe` again and again until it answers something other than undefined or false, and returns that. At the
 * deadline it throws with `what` was waited for and the last error of `probe`; before, its errors count as "not yet".
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { deadlineMs = 20_000, intervalMs = 20 }: UntilOptions = {},
): Promise<T> {
  const end = Date.now() + deadlineMs;
  let lastError: unknown;
  do {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await delay(intervalMs);
  } while (Date.now() < end);
  throw new Error(`waited ${deadlineMs} ms in vain for: ${what}`, { cause: lastError });
}
