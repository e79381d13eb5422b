// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { until } from './until.js';

describe('until', () => {
  it('returns the first answer that counts, whatever was thrown before', async () => {
    const answers = [() => false as const, () => undefined, () => fail('not yet'), () => 'now'];
    await expect(until('an answer', () => answers.shift()?.(), { intervalMs: 0 })).resolves.toBe('now');
  });

  it('names what it waited for, and the last error', async () => {
    const waiting = until('the impossible', () => fail('no'), { deadlineMs: 0, intervalMs: 0 });
    await expect(waiting).rejects.toMatchObject({
      message: 'waited 0 ms in vain for: the impossible',
      cause: { message: 'no' },
    });
  });
});

function fail(message: string): never {
  throw new Error(message);
}
