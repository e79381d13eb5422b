// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { describeExit } from './instance.js';

describe('describeExit', () => {
  const exit = { code: 0, signal: 0, outOfMemory: false, at: new Date(0) };

  it('tells codes, signals and the memory limit apart', () => {
    expect(describeExit({ ...exit, code: 3 })).toBe('exited with code 3');
    expect(describeExit({ ...exit, signal: 11 })).toBe('killed by SIGSEGV');
    expect(describeExit({ ...exit, signal: 40 })).toBe('killed by signal 40');
    expect(describeExit({ ...exit, signal: 9, outOfMemory: true })).toContain('memory limit');
  });
});
