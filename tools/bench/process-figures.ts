// SPDX-License-Identifier: Apache-2.0
// What /proc says about processes (proc(5)). One that has ended counts nothing.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function threadsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid.toString()}/task`;
  return (await readdir(folder).catch(() => [])).map((tid) => join(folder, tid));
}

/** The process and all that descend from it. */
export async function processTree(pid: number): Promise<number[]> {
  const tree = [pid];
  for (const thread of await threadsOf(pid)) {
    const children = await read(join(thread, 'children'));
    for (const child of children.split(' ').filter((text) => text !== '')) {
      tree.push(...(await processTree(Number(child))));
    }
  }
  return tree;
}

/** Nanoseconds on a CPU so far of all threads of the processes (schedstat). */
export async function cpuNs(pids: readonly number[]): Promise<number> {
  let total = 0;
  for (const thread of (await Promise.all(pids.map(threadsOf))).flat()) {
    total += Number((await read(join(thread, 'schedstat'))).split(' ')[0]);
  }
  return total;
}

/** Ticks of user and system CPU time in the text of a /proc/PID/stat; the name in it may hold anything. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** Ticks of CPU time so far (utime and stime). */
export async function cpuTicks(pids: readonly number[]): Promise<number> {
  const stats = await Promise.all(pids.map((pid) => read(`/proc/${pid.toString()}/stat`)));
  return stats.reduce((sum, stat) => sum + ticksOf(stat), 0);
}

/** How often threads of the processes began to wait so far: each is a wake-up later. */
export async function waits(pids: readonly number[]): Promise<number> {
  let total = 0;
  for (const thread of (await Promise.all(pids.map(threadsOf))).flat()) {
    total += Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(await read(join(thread, 'status')))?.[1] ?? 0);
  }
  return total;
}

/** Bytes of proportional set size in the text of a /proc/PID/smaps_rollup. */
export function pssOf(rollup: string): number {
  return Number(/^Pss:\s*(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/** Bytes of memory that the processes account for, shared pages divided among those that share them. */
export async function pssBytes(pids: readonly number[]): Promise<number> {
  const rollups = await Promise.all(pids.map((pid) => read(`/proc/${pid.toString()}/smaps_rollup`)));
  return rollups.reduce((sum, rollup) => sum + pssOf(rollup), 0);
}
