// SPDX-License-Identifier: Apache-2.0
import type { Draining, FunctionPlan } from '../domain/function-plan.js';
import type { GatewayRegistry } from '../routes/gateway-registry.js';

interface Drain {
  /** Routes have been without the replica since this version. */
  readonly routesVersion: bigint;
  readonly deadlineMs: number;
}

/** Which replicas of a function drain, since which routes and until when. */
export class DrainBook {
  readonly #gateways: GatewayRegistry;
  readonly #drains = new Map<string, Drain>();

  constructor(gateways: GatewayRegistry) {
    this.#gateways = gateways;
  }

  get isEmpty(): boolean {
    return this.#drains.size === 0;
  }

  /** Undefined: the replica does not drain. */
  of(id: string): Draining | undefined {
    const drain = this.#drains.get(id);
    return drain === undefined
      ? undefined
      : {
          deadlineMs: drain.deadlineMs,
          isReleased: this.#gateways.isReleased(id, drain.routesVersion),
        };
  }

  /**
   * Notes what a plan drains, given the version of the routes that say so. Forgets replicas that serve again and those
   * that are gone, which is all but `known`. Answers true when a replica began to drain: it may be free to go already.
   */
  note(
    { draining, serving }: FunctionPlan,
    known: readonly string[],
    since: { readonly routesVersion: bigint; readonly deadlineMs: number },
  ): boolean {
    for (const id of this.#drains.keys()) {
      if (serving.includes(id) || !known.includes(id)) {
        this.#drains.delete(id);
      }
    }
    const begun = draining.filter((id) => !this.#drains.has(id));
    for (const id of begun) {
      this.#drains.set(id, since);
    }
    return begun.length > 0;
  }
}
