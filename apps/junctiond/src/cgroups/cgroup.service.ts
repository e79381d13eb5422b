// SPDX-License-Identifier: Apache-2.0
// The cgroups of this stack's instances: `<cgroup of the stack>/<instance id>` in every hierarchy of the host. junction_run
// puts the guest into them. A controller that the host does not have limits nothing; `missing` says which.
// What a start needs is synchronous: these files are the kernel's own and never wait for a disk, and ten calls take 0.4 ms
// in a row, but five times that through the thread pool.
import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { errorCode, errorText, JunctiondError } from '../junctiond.error.js';
import { cgroupDirs, type CgroupTree, type Controller, CONTROLLERS } from './cgroup-tree.js';

export interface CgroupLimits {
  readonly memoryBytes: bigint;
  readonly pids: number;
  readonly cpuMillicores: bigint;
}

/** What an instance has used. */
export interface CgroupUsage {
  /** CPU time since the cgroup was made; undefined where nothing counts it. */
  readonly cpuNs?: bigint;
  readonly memoryBytes?: bigint;
}

/** The kernel's default period of CPU bandwidth (sched-bwc). */
const CPU_PERIOD_US = 100_000;

export class CgroupService {
  readonly #tree: CgroupTree;
  readonly #stack: string;

  /** `stack` is the cgroup of all instances, relative to the roots of the hierarchies. */
  constructor(tree: CgroupTree, stack: string) {
    this.#tree = tree;
    this.#stack = stack;
  }

  /** Controllers that limit nothing on this host. */
  get missing(): readonly Controller[] {
    const { v1, v2, v2Controllers } = this.#tree;
    // cpu.stat of version 2 counts time without any controller.
    return CONTROLLERS.filter(
      (name) => v1[name] === undefined && !v2Controllers.includes(name) && !(name === 'cpuacct' && v2 !== undefined),
    );
  }

  /** The folders of one instance, for junction_run. */
  dirsOf(id: string): string[] {
    return cgroupDirs(this.#tree, join(this.#stack, id));
  }

  /** Makes the stack's own cgroup, once. */
  open(): void {
    const { v2, v2Controllers } = this.#tree;
    cgroupDirs(this.#tree, this.#stack).forEach((dir) => mkdirSync(dir, { recursive: true }));
    if (v2 !== undefined && v2Controllers.length > 0) {
      const names = v2Controllers.map((name) => `+${name}`).join(' ');
      writeFileSync(join(v2, 'cgroup.subtree_control'), names);
      writeFileSync(join(v2, this.#stack, 'cgroup.subtree_control'), names);
    }
  }

  /** Makes the cgroups of an instance, or takes what is there, and limits them. */
  create(id: string, limits: CgroupLimits): void {
    try {
      this.dirsOf(id).forEach(makeDir);
      this.#limitMemory(id, limits.memoryBytes);
      this.#limitPids(id, limits.pids);
      this.limitCpu(id, limits.cpuMillicores);
    } catch (cause) {
      throw new JunctiondError('internal', `the cgroup of instance ${id} cannot be made: ${errorText(cause)}`, {
        cause,
      });
    }
  }

  /** Changes how much CPU time the instance may use. */
  limitCpu(id: string, millicores: bigint): void {
    const quota_us = (millicores * BigInt(CPU_PERIOD_US)) / 1000n;
    const v1 = this.#v1Dir('cpu', id);
    if (v1 !== undefined) {
      writeFileSync(join(v1, 'cpu.cfs_period_us'), String(CPU_PERIOD_US));
      writeFileSync(join(v1, 'cpu.cfs_quota_us'), String(quota_us));
    } else if (this.#tree.v2Controllers.includes('cpu')) {
      writeFileSync(join(this.#v2Dir(id), 'cpu.max'), `${quota_us} ${CPU_PERIOD_US}`);
    }
  }

  /** What the instance has used so far; a cgroup that is gone has used nothing. */
  async usage(id: string): Promise<CgroupUsage> {
    const [cpuNs, memoryBytes] = await Promise.all([this.#cpuNs(id), this.#memoryBytes(id)]);
    return { ...(cpuNs === undefined ? {} : { cpuNs }), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
  }

  /** Removes an instance's cgroups. False when a process is still in one of them. */
  remove(id: string): boolean {
    const removed = this.dirsOf(id).map(removeDir);
    return removed.every((isGone) => isGone);
  }

  /** The instances that have a cgroup. */
  list(): string[] {
    const names = new Set<string>();
    for (const dir of cgroupDirs(this.#tree, this.#stack)) {
      const entries = readdirSync(dir, { withFileTypes: true });
      entries.filter((entry) => entry.isDirectory()).forEach((entry) => names.add(entry.name));
    }
    return [...names];
  }

  #limitMemory(id: string, bytes: bigint): void {
    const v1 = this.#v1Dir('memory', id);
    if (v1 !== undefined) {
      writeFileSync(join(v1, 'memory.limit_in_bytes'), String(bytes));
      // Memory and swap together; not there where the host keeps no account of swap.
      writeIfThere(join(v1, 'memory.memsw.limit_in_bytes'), String(bytes));
    } else if (this.#tree.v2Controllers.includes('memory')) {
      writeFileSync(join(this.#v2Dir(id), 'memory.max'), String(bytes));
      writeIfThere(join(this.#v2Dir(id), 'memory.swap.max'), '0');
      // An instance is one thing: when one process is killed for memory, all are.
      writeIfThere(join(this.#v2Dir(id), 'memory.oom.group'), '1');
    }
  }

  #limitPids(id: string, pids: number): void {
    const v1 = this.#v1Dir('pids', id);
    if (v1 !== undefined) {
      writeFileSync(join(v1, 'pids.max'), String(pids));
    } else if (this.#tree.v2Controllers.includes('pids')) {
      writeFileSync(join(this.#v2Dir(id), 'pids.max'), String(pids));
    }
  }

  async #cpuNs(id: string): Promise<bigint | undefined> {
    const v1 = this.#v1Dir('cpuacct', id);
    if (v1 !== undefined) {
      return readNumber(join(v1, 'cpuacct.usage'));
    }
    if (this.#tree.v2 === undefined) {
      return undefined;
    }
    const text = await readFile(join(this.#v2Dir(id), 'cpu.stat'), 'utf8').catch(() => '');
    const usage_us = /^usage_usec (\d+)$/m.exec(text)?.[1];
    return usage_us === undefined ? undefined : BigInt(usage_us) * 1000n;
  }

  async #memoryBytes(id: string): Promise<bigint | undefined> {
    const v1 = this.#v1Dir('memory', id);
    if (v1 !== undefined) {
      return readNumber(join(v1, 'memory.usage_in_bytes'));
    }
    return this.#tree.v2Controllers.includes('memory')
      ? readNumber(join(this.#v2Dir(id), 'memory.current'))
      : undefined;
  }

  #v1Dir(controller: Controller, id: string): string | undefined {
    const root = this.#tree.v1[controller];
    return root === undefined ? undefined : join(root, this.#stack, id);
  }

  #v2Dir(id: string): string {
    return join(this.#tree.v2 ?? '', this.#stack, id);
  }
}

function makeDir(dir: string): void {
  try {
    mkdirSync(dir);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') {
      throw error;
    }
  }
}

function removeDir(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return true;
    }
    if (errorCode(error) === 'EBUSY') {
      return false;
    }
    throw error;
  }
}

function writeIfThere(file: string, content: string): void {
  try {
    writeFileSync(file, content, { flag: 'r+' });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'EOPNOTSUPP') {
      throw error;
    }
  }
}

async function readNumber(file: string): Promise<bigint | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return /^\d+\s*$/.test(text) ? BigInt(text.trim()) : undefined;
}
