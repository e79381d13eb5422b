// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';

import type { instanceV1 } from '@junctiond/contracts';
import type { Instance } from '@junctiond/instance-model';
import type { ControlBlock } from '@junctiond/native-binding';

import type { CgroupService } from '../cgroups/cgroup.service.js';
import { UsageSampler } from './usage-sampler.js';

export interface UsageServiceParts {
  readonly cgroups: Pick<CgroupService, 'usage'>;
  readonly now: () => number;
  /** Throws where the instance has no control block. */
  openControlOf(id: string): Pick<ControlBlock, 'snapshot' | 'close'>;
}

/** x86-64 Linux. */
const PAGE_BYTES = 4096n;

/** What instances use, from their cgroups and control blocks; read when it is asked for. */
export class UsageService {
  readonly #parts: UsageServiceParts;
  readonly #sampler = new UsageSampler();

  constructor(parts: UsageServiceParts) {
    this.#parts = parts;
  }

  /** Zeros for an instance without a process. */
  async usageOf(instance: Instance): Promise<instanceV1.Usage> {
    const { id } = instance.spec;
    if (instance.pid === 0) {
      return { cpuMillicores: 0, memoryBytes: 0n, guestSyscalls: 0n };
    }
    const { cpuNs, memoryBytes } = await this.#parts.cgroups.usage(id);
    const startedAtMs = (instance.startedAt ?? instance.createdAt).getTime();
    const sample = { atMs: this.#parts.now(), cpuNs: cpuNs ?? 0n };
    return {
      cpuMillicores: cpuNs === undefined ? 0 : this.#sampler.millicores(id, sample, startedAtMs),
      memoryBytes: memoryBytes ?? (await residentBytes(instance.pid)),
      guestSyscalls: this.#guestSyscalls(id),
    };
  }

  forget(id: string): void {
    this.#sampler.forget(id);
  }

  /** The instance's own word; nothing rests on it. */
  #guestSyscalls(id: string): bigint {
    try {
      const control = this.#parts.openControlOf(id);
      try {
        return control.snapshot().guestSyscalls;
      } finally {
        control.close();
      }
    } catch {
      // It may be starting or ending just now.
      return 0n;
    }
  }
}

/** Where the host has no memory controller: the resident set of the first process. */
async function residentBytes(pid: number): Promise<bigint> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
  const pages = statm.split(' ')[1] ?? '';
  return /^\d+$/.test(pages) ? BigInt(pages) * PAGE_BYTES : 0n;
}
