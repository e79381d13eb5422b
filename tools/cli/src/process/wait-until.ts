// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

/** Asks `condition` until it answers something else than undefined; undefined after `timeoutMs`. */
export async function waitUntil<T>(
  timeoutMs: number,
  condition: () => T | undefined | Promise<T | undefined>,
  pauseMs = 25,
): Promise<T | undefined> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer !== undefined || Date.now() > deadline) return answer;
    await delay(pauseMs);
  }
}
