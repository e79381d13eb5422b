// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runSteps } from './run-steps.ts';
import type { TestStep } from './test-plan.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'run-steps-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A step that runs a shell line; `results` makes it one whose tests are counted. */
function shell(line: string, results?: string): TestStep {
  const base = { part: 'unit', name: line, command: '/bin/sh', args: ['-c', line] } as const;
  return results === undefined ? base : { ...base, results };
}

const twoTests = `mkdir -p .results/unit; echo '{"numPassedTests":2}' > .results/unit/a.json`;

describe('runSteps', () => {
  it('counts a check as one test', async () => {
    expect(await runSteps(root, [shell('true'), shell('false')])).toMatchObject([
      { ok: true, passed: 1, failed: 0 },
      { ok: false, passed: 0, failed: 1 },
    ]);
  });

  it('counts the tests that a step reports', async () => {
    expect(await runSteps(root, [shell(twoTests, 'unit')])).toMatchObject([{ ok: true, passed: 2, failed: 0 }]);
  });

  it('counts a failure that no test reports', async () => {
    expect(await runSteps(root, [shell(`${twoTests}; exit 1`, 'unit')])).toMatchObject([
      { ok: false, passed: 2, failed: 1 },
    ]);
  });

  it('calls a step that ran no test failed', async () => {
    expect(await runSteps(root, [shell('true', 'unit')])).toMatchObject([{ ok: false, passed: 0, failed: 1 }]);
  });

  it('does not count the results of an earlier run', async () => {
    const outcomes = await runSteps(root, [shell(twoTests, 'unit'), shell('true', 'unit')]);
    expect(outcomes[1]).toMatchObject({ ok: false, passed: 0, failed: 1 });
  });
});
