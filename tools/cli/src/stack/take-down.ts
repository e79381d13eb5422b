// SPDX-License-Identifier: Apache-2.0
import { rmSync } from 'node:fs';

import { stopProcess } from '../process/stop-process.ts';
import { appManager } from './app-manager.ts';
import { removeBootScript } from './boot-script.ts';
import { schedulerDaemon, stopInstances } from './instances.ts';
import { attempt, removeLeftovers } from './leftovers.ts';
import type { StackSettings } from './stack-settings.ts';
import { removeUplink, restoreHost } from './uplink.ts';

export interface TakeDownResult {
  readonly instancesStopped: number;
  /** What could not be removed, one sentence each. */
  readonly leftovers: readonly string[];
}

const instanceGraceMs = 10_000;

/** Stops everything of a stack, in whatever state it is, and removes what it left on the host. */
export async function takeDown(
  settings: StackSettings,
  options: { readonly purge: boolean; readonly atBoot: boolean },
): Promise<TakeDownResult> {
  const { paths } = settings;
  const manager = appManager(settings);
  // First who would start instances again, then the instances, then who watched them.
  await manager.stop(['gateway', 'provider', 'junctiond']);
  const instancesStopped = await stopInstances(paths, instanceGraceMs);
  await manager.end();
  // It ends with scheduler-monitor, unless that was killed.
  const daemon = schedulerDaemon(paths);
  if (daemon !== undefined) await stopProcess(daemon, 5_000);
  if (!options.atBoot) removeBootScript(paths.stack);
  const leftovers = [
    ...attempt('settings of the host', () => {
      restoreHost(settings);
    }),
    ...attempt(`uplink ${settings.network.device}`, () => {
      removeUplink(settings.network);
    }),
    ...removeLeftovers(paths),
  ];
  if (options.purge) rmSync(paths.stateDir, { recursive: true, force: true });
  return { instancesStopped, leftovers };
}
