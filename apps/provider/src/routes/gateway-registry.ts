// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../platform/clock.js';
import { Listeners } from '../platform/listeners.js';

interface Gateway {
  streams: number;
  /** Routes up to this version are in effect there. */
  appliedVersion: bigint;
  busyReplicas: ReadonlySet<string>;
  /** When its last stream ended; undefined while it has one. */
  goneSinceMs: number | undefined;
}

/**
 * Which gateways there are and what they still use. A replica may be stopped when every gateway has applied the routes that
 * take it out and has nothing in flight with it. A gateway whose stream broke goes on serving its last routes and comes
 * back within moments, so it counts for `absenceMs` more; at the provider's start the same goes for gateways that it
 * does not know yet.
 */
export class GatewayRegistry {
  readonly #gateways = new Map<string, Gateway>();
  readonly #absenceMs: number;
  readonly #clock: Clock;
  readonly #changes = new Listeners<[]>();
  #mayHaveUnknown = true;

  constructor(absenceMs: number, clock: Clock) {
    this.#absenceMs = absenceMs;
    this.#clock = clock;
    clock.after(absenceMs, () => {
      this.#mayHaveUnknown = false;
      this.#changes.tell();
    });
  }

  /** Told when a replica may have become free to stop. */
  onChange(listener: () => void): void {
    this.#changes.add(listener);
  }

  /** Ids of the gateways that have a stream open. */
  connected(): readonly string[] {
    return [...this.#gateways].filter(([, { streams }]) => streams > 0).map(([id]) => id);
  }

  /** A gateway has opened a stream; the returned function ends it. */
  connect(id: string): () => void {
    const gateway = this.#gateways.get(id) ?? {
      streams: 0,
      appliedVersion: 0n,
      busyReplicas: new Set<string>(),
      goneSinceMs: undefined,
    };
    this.#gateways.set(id, gateway);
    gateway.streams += 1;
    gateway.goneSinceMs = undefined;
    let isOpen = true;
    return () => {
      if (isOpen) {
        isOpen = false;
        this.#disconnect(id, gateway);
      }
    };
  }

  /** Answers false for a gateway without a stream: its word would not be renewed, so it is not taken. */
  report(id: string, appliedVersion: bigint, busyReplicas: readonly string[]): boolean {
    const gateway = this.#gateways.get(id);
    if (gateway === undefined || gateway.streams === 0) {
      return false;
    }
    // Reports may overtake each other; of two for one version the later one counts.
    if (appliedVersion >= gateway.appliedVersion) {
      gateway.appliedVersion = appliedVersion;
      gateway.busyReplicas = new Set(busyReplicas);
      this.#changes.tell();
    }
    return true;
  }

  /** Whether no gateway uses the replica any more, given that routes have been without it since `version`. */
  isReleased(replicaId: string, version: bigint): boolean {
    return (
      !this.#mayHaveUnknown &&
      [...this.#gateways.values()].every(
        ({ appliedVersion, busyReplicas }) => appliedVersion >= version && !busyReplicas.has(replicaId),
      )
    );
  }

  #disconnect(id: string, gateway: Gateway): void {
    gateway.streams -= 1;
    if (gateway.streams > 0) {
      return;
    }
    const goneSinceMs = this.#clock.nowMs();
    gateway.goneSinceMs = goneSinceMs;
    this.#clock.after(this.#absenceMs, () => {
      if (gateway.goneSinceMs === goneSinceMs && this.#gateways.get(id) === gateway) {
        this.#gateways.delete(id);
        this.#changes.tell();
      }
    });
  }
}
