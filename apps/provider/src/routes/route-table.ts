// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import { isSameRoute } from '../domain/route.js';

/**
 * What gateways serve from, and who is to be told of its changes. A subscriber that takes updates slowly costs no more than
 * the set of names that changed since its last one: it then gets one delta for all of them.
 */
export class RouteTable {
  readonly #routes = new Map<string, functionV1.Route>();
  readonly #subscriptions = new Set<RouteSubscription>();
  readonly #opened = Promise.withResolvers<void>();
  #version = 0n;
  #isOpen = false;

  /** Of the last change. Grows with each one. */
  get version(): bigint {
    return this.#version;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Versions begin above `base`, which is larger than those of all earlier lives of the provider. */
  startAbove(base: bigint): void {
    if (base > this.#version) {
      this.#version = base;
    }
  }

  /** The table is complete: subscribers get their snapshot now. */
  open(): void {
    this.#isOpen = true;
    this.#opened.resolve();
  }

  /** By `name.namespace`. */
  get(name: string): functionV1.Route | undefined {
    return this.#routes.get(name);
  }

  /** Answers the version under which gateways see this route. */
  set(route: functionV1.Route): bigint {
    const known = this.#routes.get(route.functionName);
    if (known === undefined || !isSameRoute(known, route)) {
      this.#routes.set(route.functionName, route);
      this.#changed(route.functionName);
    }
    return this.#version;
  }

  /** Answers the version under which gateways no longer see a route of that name. */
  remove(name: string): bigint {
    if (this.#routes.delete(name)) {
      this.#changed(name);
    }
    return this.#version;
  }

  subscribe(): RouteSubscription {
    const subscription = new RouteSubscription(this);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  unsubscribe(subscription: RouteSubscription): void {
    this.#subscriptions.delete(subscription);
  }

  /** Resolves once the table is complete; rejects with the signal's reason. */
  async whenOpen(signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#opened.promise, signal);
  }

  snapshot(): functionV1.RouteUpdate {
    return { snapshot: true, version: this.#version, upserts: [...this.#routes.values()], removes: [] };
  }

  delta(names: ReadonlySet<string>): functionV1.RouteUpdate {
    const upserts: functionV1.Route[] = [];
    const removes: string[] = [];
    for (const name of names) {
      const route = this.#routes.get(name);
      if (route === undefined) {
        removes.push(name);
      } else {
        upserts.push(route);
      }
    }
    return { snapshot: false, version: this.#version, upserts, removes };
  }

  #changed(name: string): void {
    this.#version += 1n;
    for (const subscription of this.#subscriptions) {
      subscription.notice(name);
    }
  }
}

/** One gateway's way through the table's changes. */
export class RouteSubscription {
  readonly #table: RouteTable;
  #changed = new Set<string>();
  #needsSnapshot = true;
  #wake: (() => void) | undefined;

  constructor(table: RouteTable) {
    this.#table = table;
  }

  notice(name: string): void {
    this.#changed.add(name);
    this.#wake?.();
  }

  /** The snapshot first, then a delta as soon as there is one. Rejects with the signal's reason. */
  async next(signal: AbortSignal): Promise<functionV1.RouteUpdate> {
    await this.#table.whenOpen(signal);
    if (!this.#needsSnapshot && this.#changed.size === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await unlessAborted(promise, signal).finally(() => {
        this.#wake = undefined;
      });
    }
    const changed = this.#changed;
    this.#changed = new Set();
    if (this.#needsSnapshot) {
      this.#needsSnapshot = false;
      return this.#table.snapshot();
    }
    return this.#table.delta(changed);
  }

  close(): void {
    this.#table.unsubscribe(this);
  }
}

async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
