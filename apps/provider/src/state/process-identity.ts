// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { LeaseOwner } from '@junctiond/function-state';

/** This process, as the owner of the lease. */
export function ownIdentity(): LeaseOwner {
  return {
    node: hostname(),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? '',
    nonce: randomUUID(),
  };
}

/**
 * True when the owner is known to be gone: it ran on this node and its process is not there any more. Of owners on other
 * nodes nothing is known; their lease has to run out.
 */
export function isKnownDead(owner: LeaseOwner, own: LeaseOwner): boolean {
  return owner.node === own.node && owner.nonce !== own.nonce && startTicksOf(owner.pid) !== owner.startTicks;
}

/** Field 22 of /proc/<pid>/stat (proc(5)); undefined when there is no such process. */
function startTicksOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // No such process.
  }
  // The second field is the program's name in parentheses and may hold anything, so fields are counted after it.
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .at(22 - 3);
}
