// SPDX-License-Identifier: Apache-2.0
// Finds the junction_run processes of this stack by their command lines (proc(5)). Only for a start: what runs is then held.
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { INSTANCE_ID } from '@junctiond/instance-model';

import type { ProcessId } from './instance-record.js';

interface ProcessStat {
  readonly parentPid: number;
  readonly startTimeTicks: bigint;
  readonly isZombie: boolean;
}

/**
 * The monitor of each running instance below `instancesDir`, by id. A guest looks like its monitor until it becomes another
 * program; it is told by its parent. A guest can also give itself any command line, so only processes of `uid` count:
 * no instance has the uid of junctiond.
 */
export async function findMonitors(
  instancesDir: string,
  uid = process.getuid?.() ?? 0,
  procDir = '/proc',
): Promise<Map<string, ProcessId[]>> {
  const pids = (await readdir(procDir)).filter((name) => /^\d+$/.test(name));
  const found = new Map<number, { id: string; stat: ProcessStat }>();
  for (const pid of pids) {
    const id = instanceOf(await readText(`${procDir}/${pid}/cmdline`), instancesDir);
    if (id === undefined || (await ownerOf(`${procDir}/${pid}`)) !== uid) continue;
    const status = parseStat(await readText(`${procDir}/${pid}/stat`));
    if (status !== undefined && !status.isZombie) {
      found.set(Number(pid), { id, stat: status });
    }
  }
  const monitors = new Map<string, ProcessId[]>();
  for (const [pid, { id, stat }] of found) {
    if (!found.has(stat.parentPid)) {
      monitors.set(id, [...(monitors.get(id) ?? []), { pid, startTimeTicks: stat.startTimeTicks }]);
    }
  }
  return monitors;
}

function instanceOf(cmdline: string, instancesDir: string): string | undefined {
  const args = cmdline.split('\0');
  const end = args.indexOf('--');
  const dir = args.slice(0, end === -1 ? undefined : end)[args.indexOf('--instance_dir') + 1];
  const isOurs = basename(args[0] ?? '') === 'junction_run' && args.includes('--instance_dir');
  return isOurs && dir !== undefined && dirname(dir) === instancesDir && INSTANCE_ID.test(basename(dir))
    ? basename(dir)
    : undefined;
}

/** Fields of /proc/PID/stat; the name in field 2 may hold anything, so they are counted from its last bracket. */
export function parseStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentPid] = fields;
  const startTime = fields[19];
  return startTime === undefined || !/^\d+$/.test(startTime)
    ? undefined
    : { parentPid: Number(parentPid), startTimeTicks: BigInt(startTime), isZombie: state === 'Z' || state === 'X' };
}

/** The effective uid of a process, which its folder in /proc always belongs to; undefined for one that is gone. */
async function ownerOf(folder: string): Promise<number | undefined> {
  return (await stat(folder).catch(() => undefined))?.uid;
}

/** Empty for a process that is gone. */
async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
