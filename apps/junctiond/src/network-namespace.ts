// SPDX-License-Identifier: Apache-2.0
// One empty network namespace for all instances with a NIC: joining it costs an instance 9 us, one of its own 450 us (FACTS: on the 2-core
// VM). It has no device but a loopback that is down, and no instance has a capability over it. What instances in it would share are abstract
// unix sockets: their filter must not let guest code make host sockets.
import { statfsSync, writeFileSync } from 'node:fs';

import type { RunCommand } from './command.js';
import { JunctiondError } from './junctiond.error.js';

/** Magic of the file system of namespaces (linux/magic.h, NSFS_MAGIC). */
const NSFS_MAGIC = 0x6e73_6673;
const TIMEOUT_MS = 10_000;

/** Makes `file` that namespace, or finds that it is one already. Throws what hinders it: no unshare(1), no privileges. */
export async function openNetworkNamespace(file: string, run: RunCommand): Promise<void> {
  if (isNamespace(file)) {
    return;
  }
  writeFileSync(file, '', { mode: 0o600 });
  // unshare(1) binds the new namespace to the file, which keeps it when `true` has ended.
  const result = await run({
    file: 'unshare',
    args: [`--net=${file}`, 'true'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    timeoutMs: TIMEOUT_MS,
  });
  if (result.exitCode !== 0 || !isNamespace(file)) {
    throw new JunctiondError('failed_precondition', `unshare --net: ${result.stderr.trim() || 'it did not do it'}`);
  }
}

function isNamespace(file: string): boolean {
  try {
    return statfsSync(file).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}
