// SPDX-License-Identifier: Apache-2.0
// Who a process is: proc(5). A pid alone is reused by the host; together with the time of its start it is not.
import { readFileSync, readdirSync, statSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of /proc/PID/stat. */
  readonly startTicks: number;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** The fields of /proc/PID/stat from the third on (the second, the name, may contain anything). */
function statFields(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The identity of a live process; undefined if there is none, or only its zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTicks: Number(fields[19]) };
}

/** Whether this very process still lives. */
export function lives(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTicks === identity.startTicks;
}

/** Sends a signal to this very process; false if it has ended. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!lives(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Bytes of memory that the process has resident; 0 if it has ended. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '');
  return Number(line?.[1] ?? 0) * 1024;
}

/** Seconds since the process started; undefined if it has ended. */
export function ageSeconds(identity: ProcessIdentity): number | undefined {
  const uptime = Number(read('/proc/uptime')?.split(' ')[0]);
  return lives(identity) ? uptime - identity.startTicks / 100 : undefined; // USER_HZ is 100 on x86-64
}

/** The effective uid of a process (its folder in /proc always belongs to it); undefined if it has ended. */
function ownerOf(pid: string): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

/** All processes of our own user with their arguments: a guest, which has another uid, may call itself anything. */
export function ownProcesses(): { identity: ProcessIdentity; argv: string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && ownerOf(name) === process.getuid?.())
    .flatMap((name) => {
      const identity = identify(Number(name));
      const command = read(`/proc/${name}/cmdline`);
      if (identity === undefined || command === undefined) return [];
      return [{ identity, argv: command.split('\0').slice(0, -1) }];
    });
}

/** The process and all its descendants that live. */
export function withDescendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statFields(Number(name))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (identify(next) !== undefined) found.push(next);
    queue.push(...(children.get(next) ?? []));
  }
  return found;
}
