// SPDX-License-Identifier: Apache-2.0
import { exitCode } from '../exit-code.ts';
import { removeOrphanedStacks } from '../testing/orphaned-stacks.ts';
import { runSteps } from '../testing/run-steps.ts';
import { add, nothing } from '../testing/tally.ts';
import type { Tally } from '../testing/tally.ts';
import { testParts, testPlan } from '../testing/test-plan.ts';
import type { TestPart } from '../testing/test-plan.ts';
import { tell } from '../terminal/progress.ts';

export interface TestOptions {
  readonly only?: readonly TestPart[];
  readonly skip?: readonly TestPart[];
  readonly cache: boolean;
}

/** Runs the tests; the last line on stdout is `N passed, M failed`. Answers the exit code. */
export async function test(options: TestOptions, root: string): Promise<number> {
  const parts = new Set((options.only ?? testParts).filter((part) => options.skip?.includes(part) !== true));
  const outcomes = await runSteps(root, testPlan(root, parts, options.cache));
  await removeOrphanedStacks(process.env);
  const sum = outcomes.reduce<Tally>((before, outcome) => add(before, outcome), nothing);
  for (const { name, ok, passed, failed } of outcomes) {
    tell(`${ok ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed`);
  }
  const skipped = sum.skipped === 0 ? '' : `, ${sum.skipped} skipped`;
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed${skipped}\n`);
  return sum.failed === 0 && sum.passed > 0 ? exitCode.ok : exitCode.failed;
}
