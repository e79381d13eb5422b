// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { type FunctionState, type ReplicaRecord, StateError } from '@junctiond/function-state';
import type { Health, Logger } from '@junctiond/telemetry';
import { DEFAULT_NAMESPACE, routeName } from '../domain/function-key.js';
import { messageOf, ProviderError } from '../domain/provider.error.js';
import type { Clock } from '../platform/clock.js';
import { KeyedMutex } from '../platform/keyed-mutex.js';
import { Listeners } from '../platform/listeners.js';
import { SharedLock } from '../platform/shared-lock.js';
import type { FunctionCatalog, SecretRevisions } from './function-catalog.js';
import type { LeaseKeeper } from './lease-keeper.js';

/** Chosen: Redis answers again within a moment, or its connection breaks and is reported. */
const RELOAD_DELAY_MS = 1_000;
const QUIET_START_MS = 3_000;

/**
 * Between the API and the state store: loads the catalog each time the lease is taken or Redis is back, and lets changes
 * through only while this provider holds the lease and its catalog is up to date.
 */
export class StateKeeper {
  readonly #state: FunctionState;
  readonly #lease: LeaseKeeper;
  readonly #catalog: FunctionCatalog;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lock = new SharedLock();
  readonly #mutex = new KeyedMutex();
  readonly #ready = new Listeners<[]>();
  #storeId: string | undefined;
  #isForeign = false;
  #isCurrent = false;
  #wasLoaded = false;
  #isLoading = false;
  #routeVersionBase = 0n;
  #recordedReplicas: ReadonlyMap<string, readonly ReplicaRecord[]> = new Map();
  #stopRetry: (() => void) | undefined;

  constructor(state: FunctionState, lease: LeaseKeeper, catalog: FunctionCatalog, clock: Clock, log: Logger) {
    this.#state = state;
    this.#lease = lease;
    this.#catalog = catalog;
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    this.#lease.onHeld(() => this.#reload());
    this.#lease.onLost(() => {
      this.#isCurrent = false;
      this.#log.warn({ holder: this.#lease.otherHolder }, 'another provider holds the lease; standing by');
    });
    this.#state.connection.onChange((isUp) => {
      if (!isUp) {
        this.#isCurrent = false;
        this.#log.warn(`${this.#describeProblem()}; changes have to wait`);
      }
    });
    this.#lease.start();
    // Said once: what is missing at the start comes up with the rest of the stack, as a rule.
    this.#stopRetry = this.#clock.after(QUIET_START_MS, () => {
      if (this.problem !== undefined) {
        this.#log.warn(`not ready yet: ${this.problem}`);
      }
    });
  }

  async stop(): Promise<void> {
    this.#isCurrent = false;
    this.#stopRetry?.();
    await this.#lease.stop();
    this.#state.connection.close();
  }

  /** Told each time the catalog was loaded and changes are possible (again). */
  onReady(listener: () => void): void {
    this.#ready.add(listener);
  }

  /** Whether this provider may change the state and act on it, now. */
  get canWrite(): boolean {
    return this.#isCurrent && this.#lease.isHeld;
  }

  /** The catalog has been loaded at least once. */
  get wasLoaded(): boolean {
    return this.#wasLoaded;
  }

  /** For the routes of this provider's life; set once it was loaded. */
  get routeVersionBase(): bigint {
    return this.#routeVersionBase;
  }

  /** By `name.namespace`: what the store said of replicas when it was first loaded. */
  get recordedReplicas(): ReadonlyMap<string, readonly ReplicaRecord[]> {
    return this.#recordedReplicas;
  }

  /** Why changes have to wait, for users; undefined: they need not. */
  get problem(): string | undefined {
    return this.canWrite ? undefined : this.#describeProblem();
  }

  get health(): Health {
    const { problem } = this;
    if (problem === undefined) {
      return { isHealthy: true, message: 'ok' };
    }
    // Once loaded it goes on serving routes and reads, so it is not restarted for want of Redis.
    return this.#wasLoaded && !this.#isForeign
      ? { isHealthy: true, message: `degraded: ${problem}` }
      : { isHealthy: false, message: problem };
  }

  /** Reads from the store itself. Throws StateError `unavailable`. */
  async read<T>(work: (state: FunctionState) => Promise<T>): Promise<T> {
    return work(this.#state);
  }

  /**
   * Makes one change; changes of one `key` follow each other. `work` brings the catalog up to date before it returns.
   * Throws ProviderError `unavailable` when changes have to wait, and what `work` throws.
   */
  async change<T>(key: string, work: (state: FunctionState) => Promise<T>): Promise<T> {
    return this.#lock.shared(() =>
      this.#mutex.run(key, async () => {
        if (!this.canWrite) {
          throw new ProviderError('unavailable', this.#describeProblem());
        }
        try {
          return await work(this.#state);
        } catch (error) {
          if (error instanceof StateError && error.code === 'fenced') {
            this.#isCurrent = false;
            this.#lease.attempt();
          }
          throw error;
        }
      }),
    );
  }

  #reload(): void {
    if (this.#isLoading || this.#isForeign) {
      return;
    }
    this.#stopRetry?.();
    this.#isLoading = true;
    this.#isCurrent = false;
    this.#lock
      .exclusive(() => this.#load())
      .then(
        () => {
          this.#isLoading = false;
          if (this.#isCurrent) {
            this.#ready.tell();
          }
        },
        (error: unknown) => {
          this.#isLoading = false;
          this.#log.error({ error }, 'the state cannot be loaded');
          this.#stopRetry = this.#clock.after(RELOAD_DELAY_MS, () => this.#reload());
        },
      );
  }

  async #load(): Promise<void> {
    const { meta, namespaces, functions, secrets, replicas, connection } = this.#state;
    const storeId = await meta.open(randomUUID());
    if (this.#storeId !== undefined && this.#storeId !== storeId) {
      this.#isForeign = true;
      this.#log.fatal({ redis: connection.place }, this.#describeProblem());
      return;
    }
    this.#storeId = storeId;
    if ((await namespaces.get(DEFAULT_NAMESPACE)) === undefined) {
      await namespaces.create({ name: DEFAULT_NAMESPACE, labels: {}, annotations: {} });
    }
    const names = (await namespaces.list()).map(({ name }) => name);
    const { functions: records, unreadable } = await functions.list(names);
    for (const { error } of unreadable) {
      this.#log.error({ error }, 'a function is left alone: its record cannot be read');
    }
    const revisions = new Map<string, SecretRevisions>();
    for (const namespace of names) {
      revisions.set(namespace, await secrets.revisions(namespace));
    }
    if (!this.#wasLoaded) {
      const recorded = new Map<string, readonly ReplicaRecord[]>();
      for (const { namespace, name } of records) {
        const known = await replicas.list(namespace, name, (error) => this.#log.warn({ error }, messageOf(error)));
        recorded.set(routeName({ namespace, name }), known);
      }
      this.#recordedReplicas = recorded;
      this.#routeVersionBase = await meta.nextRouteVersionBase();
    }
    if (!this.#lease.isHeld || !connection.isUp) {
      throw new ProviderError('unavailable', 'the lease or the connection was lost while the state was loaded');
    }
    this.#catalog.replace({ namespaces: names, functions: records, unreadable, secrets: revisions });
    this.#isCurrent = true;
    this.#wasLoaded = true;
    this.#log.info({ functions: records.length, redis: connection.place }, 'the state is loaded');
  }

  #describeProblem(): string {
    const { connection } = this.#state;
    if (this.#isForeign) {
      return `Redis at ${connection.place} has lost its data or is another one: nothing is changed until the provider is restarted`;
    }
    if (connection.problem !== undefined) {
      return connection.problem;
    }
    const holder = this.#lease.otherHolder;
    if (holder !== undefined) {
      return `another provider (process ${holder.pid} on ${holder.node}) holds the lease on the state`;
    }
    return 'the provider is loading the state';
  }
}
