// SPDX-License-Identifier: Apache-2.0
import type { FunctionState, LeaseAttempt, LeaseOwner } from '@junctiond/function-state';
import type { Clock } from '../platform/clock.js';
import { Listeners } from '../platform/listeners.js';

export interface LeaseKeeperOptions {
  readonly owner: LeaseOwner;
  readonly ttlMs: number;
  /** See `isKnownDead`. */
  readonly isKnownDead: (owner: LeaseOwner) => boolean;
  readonly clock: Clock;
}

/** Attempts per lease time, so that one lost answer does not lose the lease. */
const ATTEMPTS_PER_TTL = 3;

/**
 * Holds the single-writer lease for as long as it can: takes it, prolongs it, takes it again after an outage. Whoever
 * acts on the state asks `isHeld` first: it is false as soon as the lease may have run out, whether or not Redis can
 * be reached to say so.
 */
export class LeaseKeeper {
  readonly #state: Pick<FunctionState, 'lease' | 'connection' | 'fence'>;
  readonly #options: LeaseKeeperOptions;
  readonly #held = new Listeners<[]>();
  readonly #lost = new Listeners<[]>();
  #epoch: number | undefined;
  #validUntilMs = 0;
  #holder: LeaseOwner | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #isNewConnection = false;
  #stopTimer: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(state: Pick<FunctionState, 'lease' | 'connection' | 'fence'>, options: LeaseKeeperOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** Told whenever the lease was taken anew: under a new epoch, or on a new connection. */
  onHeld(listener: () => void): void {
    this.#held.add(listener);
  }

  /** Told when another owner has it. */
  onLost(listener: () => void): void {
    this.#lost.add(listener);
  }

  get isHeld(): boolean {
    return this.#epoch !== undefined && this.#options.clock.nowMs() < this.#validUntilMs;
  }

  /** Who has it, if that is known to be somebody else. */
  get otherHolder(): LeaseOwner | undefined {
    return this.#holder;
  }

  start(): void {
    this.#stopListening = this.#state.connection.onChange((isUp) => {
      if (isUp) {
        this.attempt();
      } else {
        this.#isNewConnection = true;
      }
    });
    this.attempt();
  }

  /** Tries now; attempts never overlap. */
  attempt(): void {
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#stopTimer?.();
    this.#running = this.#tryOnce().then((delayMs) => {
      this.#running = undefined;
      if (this.#stopListening === undefined) {
        return;
      }
      if (this.#again) {
        this.#again = false;
        this.attempt();
      } else {
        this.#stopTimer = this.#options.clock.after(delayMs, () => this.attempt());
      }
    });
  }

  /** Stops trying and gives the lease back, so that a successor need not wait. */
  async stop(): Promise<void> {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#stopTimer?.();
    await this.#running;
    const wasHeld = this.#epoch !== undefined;
    this.#epoch = undefined;
    this.#state.fence.epoch = undefined;
    if (wasHeld) {
      // Redis down: the lease runs out by itself.
      await this.#state.lease.release(this.#options.owner).catch(() => undefined);
    }
  }

  /** Answers the time until the next attempt. */
  async #tryOnce(): Promise<number> {
    const { owner, ttlMs, clock } = this.#options;
    const retryMs = ttlMs / ATTEMPTS_PER_TTL;
    if (!this.#state.connection.isUp) {
      return retryMs; // The connection says when it is back.
    }
    const askedAtMs = clock.nowMs();
    let attempt: LeaseAttempt;
    try {
      attempt = await this.#state.lease.acquire(owner, ttlMs);
      if (attempt.kind === 'taken' && this.#options.isKnownDead(attempt.owner)) {
        attempt = await this.#state.lease.acquire(owner, ttlMs, attempt.owner);
      }
    } catch {
      return retryMs; // `isHeld` turns false by itself; the connection's own state tells why.
    }
    if (attempt.kind === 'taken') {
      this.#becomeReader(attempt.owner);
      return Math.min(retryMs, attempt.expiresInMs + 1);
    }
    const isNew = this.#isNewConnection || this.#epoch !== attempt.epoch;
    this.#isNewConnection = false;
    this.#epoch = attempt.epoch;
    this.#holder = undefined;
    this.#validUntilMs = askedAtMs + ttlMs;
    this.#state.fence.epoch = attempt.epoch;
    if (isNew) {
      this.#held.tell();
    }
    return retryMs;
  }

  #becomeReader(holder: LeaseOwner): void {
    this.#holder = holder;
    this.#state.fence.epoch = undefined;
    if (this.#epoch !== undefined) {
      this.#epoch = undefined;
      this.#lost.tell();
    }
  }
}
