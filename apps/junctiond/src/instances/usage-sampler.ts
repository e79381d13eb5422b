// SPDX-License-Identifier: Apache-2.0

/** CPU time used, as counted at one moment. */
interface Sample {
  readonly atMs: number;
  readonly cpuNs: bigint;
}

/** Between two questions that come quickly after each other the answer stays the same: the kernel counts in ticks. */
const MIN_INTERVAL_MS = 500;

/** Turns CPU time into millicores: over the time since the question before, or since the start for the first one. */
export class UsageSampler {
  readonly #last = new Map<string, { sample: Sample; millicores: number }>();

  /** `startedAtMs` is when `cpuNs` was zero. */
  millicores(id: string, sample: Sample, startedAtMs: number): number {
    const last = this.#last.get(id);
    // A counter that went back is another cgroup's: the instance was made anew.
    const before = last !== undefined && last.sample.cpuNs <= sample.cpuNs ? last : undefined;
    const from = before?.sample ?? { atMs: startedAtMs, cpuNs: 0n };
    const intervalMs = sample.atMs - from.atMs;
    if (intervalMs < MIN_INTERVAL_MS) {
      return before?.millicores ?? 0;
    }
    const millicores = Number(sample.cpuNs - from.cpuNs) / intervalMs / 1000;
    this.#last.set(id, { sample, millicores });
    return millicores;
  }

  forget(id: string): void {
    this.#last.delete(id);
  }
}
