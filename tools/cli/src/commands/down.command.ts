// SPDX-License-Identifier: Apache-2.0
import { CommandError } from '../exit-code.ts';
import type { StackSettings } from '../stack/stack-settings.ts';
import { takeDown } from '../stack/take-down.ts';
import { counted } from '../terminal/counted.ts';
import { step, tell } from '../terminal/progress.ts';

export interface DownOptions {
  readonly purge?: boolean;
  readonly atBoot?: boolean;
  readonly json?: boolean;
}

/** Stops everything of the stack. What users deployed stays on disk unless it is purged. */
export async function down(options: DownOptions, settings: StackSettings): Promise<void> {
  const { stack, stateDir } = settings.paths;
  const purge = options.purge === true;
  const result = await step(`stopping the stack ${stack}`, () =>
    takeDown(settings, { purge, atBoot: options.atBoot === true }),
  );
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ stack, ...result })}\n`);
  } else {
    const kept = purge ? 'its data is removed' : `its data stays in ${stateDir}`;
    process.stdout.write(`stack ${stack} is down: ${counted(result.instancesStopped, 'instance')} stopped, ${kept}\n`);
  }
  for (const fault of result.leftovers) tell(`left behind: ${fault}`);
  if (result.leftovers.length > 0)
    throw new CommandError(`${counted(result.leftovers.length, 'thing')} could not be removed`);
}
