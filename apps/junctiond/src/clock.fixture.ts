// SPDX-License-Identifier: Apache-2.0
import type { Clock } from './clock.js';

interface Pending {
  readonly atMs: number;
  readonly action: () => void;
}

/** A clock that a test moves. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #pending: Pending[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const pending = { atMs: this.#nowMs + delayMs, action };
    this.#pending.push(pending);
    return () => {
      this.#pending = this.#pending.filter((other) => other !== pending);
    };
  }

  /** How long until each pending call, soonest first. */
  get pendingMs(): number[] {
    return this.#pending.map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Moves on, making the calls that become due, in order. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const due = this.#pending.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#pending = this.#pending.filter((other) => other !== due);
      this.#nowMs = due.atMs;
      due.action();
    }
    this.#nowMs = endMs;
  }
}
