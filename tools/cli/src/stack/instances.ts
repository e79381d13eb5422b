// SPDX-License-Identifier: Apache-2.0
// The instances of a stack as the host shows them, so that they are found also when no app of the stack runs.
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import type { StackPaths } from '@junctiond/config';

import { identify, lives, ownProcesses, residentBytes, withDescendants } from '../process/process-identity.ts';
import type { ProcessIdentity } from '../process/process-identity.ts';
import { stopProcess } from '../process/stop-process.ts';

export interface RunningInstance {
  readonly id: string;
  /** The guest's first process; the monitor's where it is not known. */
  readonly pid: number;
  /** The `junction_run` that watches the guest. */
  readonly monitor: ProcessIdentity;
  /** Of the monitor, the guest and its descendants. */
  readonly rssBytes: number;
  /** Its own address; empty where it uses the host's network. */
  readonly ip: string;
}

function guestPid(instanceDir: string): number | undefined {
  try {
    const status = JSON.parse(readFileSync(join(instanceDir, 'status.json'), 'utf8')) as {
      pid?: number;
      state?: string;
    };
    return status.state === 'running' ? status.pid : undefined;
  } catch {
    return undefined; // just starting, or just removed
  }
}

/** As junctiond recorded it at the start that goes on. */
function ownAddress(instanceDir: string): string {
  try {
    const record = JSON.parse(readFileSync(join(instanceDir, 'spec.json'), 'utf8')) as {
      network?: { ip?: string; linksPath?: string };
    };
    return record.network?.linksPath === '' ? '' : (record.network?.ip ?? '');
  } catch {
    return ''; // just removed
  }
}

/** The outermost `junction_run` of each instance of the stack. */
export function runningInstances(paths: StackPaths): RunningInstance[] {
  const found = new Map<string, ProcessIdentity>();
  for (const { identity, argv } of ownProcesses()) {
    const at = argv.indexOf('--instance_dir');
    const dir = argv[at + 1];
    if (at < 0 || dir === undefined || dirname(dir) !== paths.instancesDir) continue;
    if (!basename(argv[0] ?? '').startsWith('junction_run')) continue;
    const known = found.get(dir);
    // The monitor forked the guest, so it is the older one.
    if (known === undefined || identity.startTicks < known.startTicks) found.set(dir, identity);
  }
  return [...found].map(([dir, monitor]) => {
    const tree = withDescendants(monitor.pid);
    return {
      id: basename(dir),
      pid: guestPid(dir) ?? monitor.pid,
      monitor,
      rssBytes: tree.reduce((sum, pid) => sum + residentBytes(pid), 0),
      ip: ownAddress(dir),
    };
  });
}

/** The native scheduler daemon of the stack, which scheduler-monitor starts with --run_dir; undefined if it does not run. */
export function schedulerDaemon(paths: StackPaths): ProcessIdentity | undefined {
  return ownProcesses().find(
    ({ argv }) => basename(argv[0] ?? '') === 'junction_scheduler' && argv.includes(paths.runDir),
  )?.identity;
}

/** Stops all instances of the stack and answers how many there were. junctiond must not run, or it restarts them. */
export async function stopInstances(paths: StackPaths, graceMs: number): Promise<number> {
  const instances = runningInstances(paths);
  await Promise.all(
    instances.map(async ({ monitor }) => {
      const guests = withDescendants(monitor.pid)
        .slice(1)
        .flatMap((pid) => identify(pid) ?? []);
      await stopProcess(monitor, graceMs);
      // A monitor that had to be killed takes its guest with it (PDEATHSIG); nobody is left to check that but us.
      for (const guest of guests) {
        if (lives(guest)) await stopProcess(guest, 0);
      }
    }),
  );
  return instances.length;
}
