// SPDX-License-Identifier: Apache-2.0
// Stacks of end-to-end tests that were killed before they could end them. A test's stack is named after its process,
// `e2e-<pid>-<number>`, so that runs side by side leave each other's alone.
import { readdirSync } from 'node:fs';

import { identify } from '../process/process-identity.ts';
import { loadStackSettings } from '../stack/stack-settings.ts';
import { takeDown } from '../stack/take-down.ts';
import { tell } from '../terminal/progress.ts';

const folders = ['/run/junctiond', '/var/lib/junctiond'];

/** The names among `stacks` whose test does not run any more. */
export function orphans(stacks: readonly string[], isAlive: (pid: number) => boolean): string[] {
  return [...new Set(stacks)].filter((stack) => {
    const pid = /^e2e-(\d+)-\d+$/.exec(stack)?.[1];
    return pid !== undefined && !isAlive(Number(pid));
  });
}

function presentStacks(): string[] {
  return folders.flatMap((folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return []; // there is no stack at all
    }
  });
}

/** Takes down what killed tests left behind, and answers the names. */
export async function removeOrphanedStacks(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const left = orphans(presentStacks(), (pid) => identify(pid) !== undefined);
  for (const stack of left) {
    tell(`a test left the stack ${stack} behind`);
    await takeDown(loadStackSettings({ stack }, environment), { purge: true, atBoot: false });
  }
  return left;
}
