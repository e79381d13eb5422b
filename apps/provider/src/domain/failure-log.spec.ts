// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { type FailureLog, noteFailure } from './failure-log.js';

const BACKOFF = { firstDelayMs: 10, maxDelayMs: 45 };

function fail(log: FailureLog | undefined, nowMs: number, instanceId?: string, generation = 1): FailureLog {
  const id = instanceId === undefined ? {} : { instanceId };
  return noteFailure(log, { generation, reason: `at ${nowMs}`, ...id }, BACKOFF, nowMs);
}

describe('noteFailure', () => {
  it('doubles the pause with each attempt, up to a limit', () => {
    let log: FailureLog | undefined;
    const delays: number[] = [];
    let nowMs = 0;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      log = fail(log, nowMs);
      delays.push(log.retryAtMs - nowMs);
      nowMs = log.retryAtMs;
    }
    expect(delays).toEqual([10, 20, 40, 45, 45]);
    expect(log?.count).toBe(5);
  });

  it('counts an instance once', () => {
    const first = fail(undefined, 0, 'a');
    expect(fail(first, 100, 'a')).toBe(first);
  });

  it('takes failures during the pause for those of the same attempt', () => {
    const log = fail(fail(undefined, 0, 'a'), 5, 'b');
    expect(log).toMatchObject({ count: 1, retryAtMs: 10, reason: 'at 5', counted: ['a', 'b'] });
  });

  it('begins anew with a new generation', () => {
    const log = fail(fail(undefined, 0, 'a'), 5, 'b', 2);
    expect(log).toEqual({ generation: 2, count: 1, reason: 'at 5', retryAtMs: 15, counted: ['b'] });
  });

  it('does not remember instances without end', () => {
    let log = fail(undefined, 0, 'first');
    for (let index = 0; index < 300; index += 1) {
      log = fail(log, 1, `i${index}`);
    }
    expect(log.counted.length).toBe(256);
    expect(log.counted).not.toContain('first');
  });
});
