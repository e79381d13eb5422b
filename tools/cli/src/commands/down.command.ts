// SPDX-License-Identifier: Apache-2.0
import { rmSync } from 'node:fs';

import { CommandError } from '../exit-code.ts';
import { stopProcess } from '../process/stop-process.ts';
import { appManager } from '../stack/app-manager.ts';
import { removeBootScript } from '../stack/boot-script.ts';
import { schedulerDaemon, stopInstances } from '../stack/instances.ts';
import { removeLeftovers } from '../stack/leftovers.ts';
import type { StackSettings } from '../stack/stack-settings.ts';
import { step, tell } from '../terminal/progress.ts';

export interface DownOptions {
  readonly purge?: boolean;
  readonly atBoot?: boolean;
  readonly json?: boolean;
}

const instanceGraceMs = 10_000;

/** Stops everything of the stack. What users deployed stays on disk unless it is purged. */
export async function down(options: DownOptions, settings: StackSettings): Promise<void> {
  const { paths } = settings;
  const manager = appManager(settings);
  const stopped = await step(`stopping the stack ${paths.stack}`, async () => {
    // First who would start instances again, then the instances, then who watched them.
    await manager.stop(['gateway', 'provider', 'junctiond']);
    const instances = await stopInstances(paths, instanceGraceMs);
    await manager.end();
    // It ends with scheduler-monitor, unless that was killed.
    const daemon = schedulerDaemon(paths);
    if (daemon !== undefined) await stopProcess(daemon, 5_000);
    return instances;
  });
  if (options.atBoot !== true) removeBootScript(paths.stack);
  const faults = removeLeftovers(paths);
  if (options.purge === true) rmSync(paths.stateDir, { recursive: true, force: true });
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ stack: paths.stack, instancesStopped: stopped, leftovers: faults })}\n`);
  } else {
    const kept = options.purge === true ? 'its data is removed' : `its data stays in ${paths.stateDir}`;
    process.stdout.write(`stack ${paths.stack} is down: ${stopped} instances stopped, ${kept}\n`);
  }
  for (const fault of faults) tell(`left behind: ${fault}`);
  if (faults.length > 0) throw new CommandError(`${faults.length} things could not be removed`);
}
