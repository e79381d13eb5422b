// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { recordFixture } from './instance-record.fixture.js';
import { formatInstanceRecord, parseInstanceRecord } from './instance-record.js';

describe('parseInstanceRecord', () => {
  it('reads what was written', () => {
    const plain = recordFixture();
    const full = recordFixture({
      stopCause: 'notListening',
      isDeleting: true,
      startedAtMs: 1,
      readyAtMs: 2,
      lastExit: { code: 1, signal: 0, outOfMemory: false, at: new Date(1_700_000_000_123) },
      spec: { ...plain.spec, memoryLimitBytes: 2n ** 60n, labels: { n: '12n', v: '1' } },
    });
    expect(parseInstanceRecord(formatInstanceRecord(full))).toEqual(full);
    expect(parseInstanceRecord(formatInstanceRecord(plain))).toEqual(plain);
  });

  it('takes half a file or another version as none', () => {
    const text = formatInstanceRecord(recordFixture());
    expect(parseInstanceRecord('')).toBeUndefined();
    expect(parseInstanceRecord(text.slice(0, -10))).toBeUndefined();
    expect(parseInstanceRecord(text.replace('"version": 1', '"version": 2'))).toBeUndefined();
    expect(parseInstanceRecord(text.replace('134217728n', 'many'))).toBeUndefined();
    expect(parseInstanceRecord('[]')).toBeUndefined();
  });
});
