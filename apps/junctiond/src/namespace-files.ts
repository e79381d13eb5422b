// SPDX-License-Identifier: Apache-2.0
// Namespaces that all instances of the node have in common, as there is nothing in them: each is bound to a file that keeps it. Figures: FACTS,
// native/src/run/README.md, on the 2-core VM.
import { statfsSync, writeFileSync } from 'node:fs';

import type { RunCommand } from './command.js';
import { JunctiondError } from './junctiond.error.js';

export interface NamespaceFiles {
  /** For instances with a NIC. Absent: junction_run makes one for each of them. */
  readonly netnsFile?: string;
  /** What an instance's mounts begin with. Absent: with the host's, which junction_run takes off again. */
  readonly mntnsFile?: string;
}

/** Magic of the file system of namespaces (linux/magic.h, NSFS_MAGIC). */
const NSFS_MAGIC = 0x6e73_6673;
const TIMEOUT_MS = 10_000;
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/**
 * Makes `file` an empty network namespace, or finds that it is one already: joining it costs an instance 9 us, one of its own 450 us. It has no
 * device but a loopback that is down, and no instance has a capability over it. What instances in it would share are abstract unix sockets: their
 * filter must not let guest code make host sockets. Throws what hinders it: no unshare(1), no privileges.
 */
export async function openNetworkNamespace(file: string, run: RunCommand): Promise<void> {
  if (!isNamespace(file)) {
    writeFileSync(file, '', { mode: 0o600 });
    // unshare(1) binds the new namespace to the file, which keeps it when `true` has ended.
    await make(file, 'unshare', [`--net=${file}`, 'true'], run);
  }
}

/**
 * Makes `file` a mount namespace with nothing of the host's in it, or finds that it is one already: a start from a copy of it takes 0.2 ms less
 * than one from the host's mounts. Instances do not see each other's mounts there. Throws what hinders it.
 */
export async function openMountNamespace(file: string, runBinary: string, run: RunCommand): Promise<void> {
  if (!isNamespace(file)) {
    await make(file, runBinary, ['--make_mntns', file], run);
  }
}

async function make(file: string, program: string, args: readonly string[], run: RunCommand): Promise<void> {
  const result = await run({ file: program, args, env: ENVIRONMENT, timeoutMs: TIMEOUT_MS });
  if (result.exitCode !== 0 || !isNamespace(file)) {
    const reason = result.stderr.trim() || 'it did not do it';
    throw new JunctiondError('failed_precondition', `${program} ${args[0] ?? ''}: ${reason}`);
  }
}

function isNamespace(file: string): boolean {
  try {
    return statfsSync(file).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}
