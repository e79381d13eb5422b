// SPDX-License-Identifier: Apache-2.0
import type { FunctionRecord } from '@junctiond/function-state';
import { type FailureBackoff, type FailureLog, noteFailure } from '../domain/failure-log.js';
import type { Replica } from '../domain/replica.js';
import type { Clock } from '../platform/clock.js';

/** Remembers failed starts of a function's current generation. */
export class FailureTracker {
  readonly #backoff: FailureBackoff;
  readonly #clock: Clock;
  #log: FailureLog | undefined;

  constructor(backoff: FailureBackoff, clock: Clock) {
    this.#backoff = backoff;
    this.#clock = clock;
  }

  get log(): FailureLog | undefined {
    return this.#log;
  }

  /** The latest failure of a generation, for people; undefined = none. */
  reasonOf(generation: number): string | undefined {
    return this.#log?.generation === generation ? this.#log.reason : undefined;
  }

  /** Whether a generation's pause is over, or it has none. */
  mayTry(generation: number): boolean {
    return this.#log?.generation !== generation || this.#clock.nowMs() >= this.#log.retryAtMs;
  }

  note(generation: number, reason: string, instanceId?: string): void {
    const failure = { generation, reason, ...(instanceId === undefined ? {} : { instanceId }) };
    this.#log = noteFailure(this.#log, failure, this.#backoff, this.#clock.nowMs());
  }

  /** Failures are forgotten when all wanted replicas are ready, or with time; each failed replica counts once. */
  observe(record: FunctionRecord | undefined, replicas: readonly Replica[]): void {
    if (record === undefined) {
      this.#log = undefined;
      return;
    }
    const { generation, wantedReplicas } = record;
    const current = replicas.filter((replica) => replica.generation === generation);
    const ready = current.filter(({ phase }) => phase === 'ready').length;
    const isComplete = wantedReplicas > 0 && ready >= wantedReplicas;
    if (isComplete || (current.length === 0 && this.#isLongAgo())) {
      this.#log = undefined;
    }
    for (const { id, phase, reason } of current) {
      if (phase === 'failed') {
        this.note(generation, reason === '' ? 'the instance failed' : reason, id);
      }
    }
  }

  #isLongAgo(): boolean {
    return this.#log !== undefined && this.#clock.nowMs() >= this.#log.retryAtMs + this.#backoff.maxDelayMs;
  }
}
