// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { CommandFailed, runLogged, step, tell } from '../terminal/progress.ts';
import { add, nothing, tallyJUnit, tallyJest } from './tally.ts';
import type { Tally } from './tally.ts';
import type { TestStep } from './test-plan.ts';

export interface StepOutcome extends Tally {
  readonly name: string;
  readonly ok: boolean;
}

function tallyFolder(folder: string): Tally {
  if (!existsSync(folder)) return nothing;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce((sum, file) => {
    if (file.endsWith('.xml')) return add(sum, tallyJUnit(readFileSync(join(folder, file), 'utf8')));
    if (file.endsWith('.json')) return add(sum, tallyJest(readFileSync(join(folder, file), 'utf8')));
    return sum;
  }, nothing);
}

function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

async function runStep(root: string, plan: TestStep): Promise<StepOutcome> {
  const folder = plan.results === undefined ? undefined : join(root, '.results', plan.results);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  let ok = true;
  try {
    await step(plan.name, () =>
      runLogged(plan.command, plan.args, {
        cwd: root,
        logFile: join(root, '.results/logs', `test-${slug(plan.name)}.log`),
        tailBytes: 60_000,
      }),
    );
  } catch (error) {
    ok = false;
    if (!(error instanceof CommandFailed)) throw error;
    tell(error.output);
    tell(error.message);
  }
  const tally = folder === undefined ? nothing : tallyFolder(folder);
  if (folder !== undefined && (tally.failed > 0 || (ok && tally.passed > 0))) {
    return { name: plan.name, ok: ok && tally.failed === 0, ...tally };
  }
  // A check is one test; tests that could not run, or of which there were none, are one failure.
  const passes = ok && folder === undefined;
  return {
    name: plan.name,
    ok: passes,
    passed: tally.passed + (passes ? 1 : 0),
    failed: passes ? 0 : 1,
    skipped: tally.skipped,
  };
}

/** Runs all steps, also after one failed, so that one run shows everything. */
export async function runSteps(root: string, plan: readonly TestStep[]): Promise<StepOutcome[]> {
  const outcomes: StepOutcome[] = [];
  for (const each of plan) outcomes.push(await runStep(root, each));
  return outcomes;
}
