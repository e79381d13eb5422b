// SPDX-License-Identifier: Apache-2.0
import type { FunctionKey } from '../domain/function-key.js';
import { routeName } from '../domain/function-key.js';
import type { ReplicaStatus } from '../domain/function-status.js';
import type { Replica } from '../domain/replica.js';
import type { InstanceWatch } from '../instances/instance-watch.js';
import type { StateKeeper } from '../state/state-keeper.js';
import { type ActorContext, FunctionActor } from './function-actor.js';

export interface ReconcilerOptions {
  readonly resyncMs: number;
  /** See `junctiondAbsenceMs` of the configuration. */
  readonly junctiondAbsenceMs: number;
}

/**
 * Brings what is into line with what is wanted, driven by events: a change of the desired state, of an instance, of a
 * gateway's report, of the connection to junctiond or Redis. Functions are independent of each other.
 */
export class Reconciler {
  readonly #context: ActorContext;
  readonly #state: StateKeeper;
  readonly #watch: InstanceWatch;
  readonly #options: ReconcilerOptions;
  readonly #actors = new Map<string, FunctionActor>();
  #isStarted = false;
  #stopResync: (() => void) | undefined;
  #stopSeeding: (() => void) | undefined;

  constructor(
    context: Omit<ActorContext, 'hindrance'>,
    state: StateKeeper,
    watch: InstanceWatch,
    options: ReconcilerOptions,
  ) {
    this.#state = state;
    this.#watch = watch;
    this.#options = options;
    this.#context = { ...context, hindrance: () => this.#hindrance() };
  }

  /** Listens to everything. Nothing happens until the state is loaded and junctiond's instances are known. */
  start(): void {
    const { catalog, instances, gateways } = this.#context;
    catalog.onChange((name) => this.#trigger(name));
    instances.onChange((name) => this.#trigger(name));
    gateways.onChange(() => this.#triggerDraining());
    this.#watch.onConnected(() => this.#triggerAll());
    this.#watch.onConnected(() => this.#begin());
    this.#state.onReady(() => {
      this.#begin();
      this.#triggerAll();
    });
  }

  stop(): void {
    this.#isStarted = false;
    this.#stopResync?.();
    this.#stopSeeding?.();
    for (const actor of this.#actors.values()) {
      actor.stop();
    }
  }

  /** What is known of a function's replicas. */
  statusOf(key: FunctionKey): ReplicaStatus & { readonly failure: string } {
    return this.#actors.get(routeName(key))?.status ?? { available: 0, reason: '', failure: '' };
  }

  /** Looks at a function now. */
  trigger(key: FunctionKey): void {
    this.#trigger(routeName(key));
  }

  /** Once both sides are known: the first plans, and with them the routes that gateways wait for. */
  #begin(): void {
    if (this.#isStarted || !this.#state.wasLoaded) {
      return;
    }
    if (this.#watch.isConnected) {
      this.#stopSeeding?.();
      this.#open();
      return;
    }
    this.#stopSeeding ??= this.#context.clock.after(this.#options.junctiondAbsenceMs, () => {
      if (!this.#isStarted) {
        this.#seed();
        this.#open();
      }
    });
  }

  #open(): void {
    const { routes, clock } = this.#context;
    this.#isStarted = true;
    routes.startAbove(this.#state.routeVersionBase);
    this.#triggerAll();
    routes.open();
    const resync = (): void => {
      this.#triggerAll();
      this.#stopResync = clock.after(this.#options.resyncMs, resync);
    };
    this.#stopResync = clock.after(this.#options.resyncMs, resync);
  }

  /** junctiond is down: routes as they were last recorded are better than none, instances run without it. */
  #seed(): void {
    const { instances, catalog, log } = this.#context;
    for (const [name, records] of this.#state.recordedReplicas) {
      const entry = catalog.find(name);
      for (const { id, generation, host, port, linkPath, instanceNumber, state } of entry === undefined
        ? []
        : records) {
        if (state === 'ready' && host !== undefined && port !== undefined) {
          const replica: Replica = {
            id,
            function: { namespace: entry?.record.namespace ?? '', name: entry?.record.name ?? '' },
            generation,
            phase: 'ready',
            endpoint: { host, port, linkPath: linkPath ?? '', instanceNumber: instanceNumber ?? 0 },
            reason: '',
            createdAtMs: 0,
            wasReady: true,
            restarts: 0,
          };
          instances.put(replica);
        }
      }
    }
    log.warn('junctiond is not there: routes are those last recorded');
  }

  #triggerAll(): void {
    const { catalog, instances } = this.#context;
    for (const name of new Set([...catalog.names(), ...instances.names(), ...this.#actors.keys()])) {
      this.#trigger(name);
    }
  }

  #triggerDraining(): void {
    for (const [name, actor] of this.#actors) {
      if (actor.isDraining) {
        this.#trigger(name);
      }
    }
  }

  #trigger(name: string): void {
    if (!this.#isStarted) {
      return;
    }
    const actor = this.#actors.get(name) ?? this.#makeActor(name);
    if (actor === undefined) {
      return;
    }
    actor.trigger();
    if (actor.isIdle) {
      actor.stop();
      this.#actors.delete(name);
    }
  }

  /** Undefined: there is neither a function nor a replica of that name. */
  #makeActor(name: string): FunctionActor | undefined {
    const { catalog, instances } = this.#context;
    const key = catalog.find(name)?.record ?? instances.of(name)[0]?.function;
    if (key === undefined) {
      return undefined;
    }
    const recorded = this.#state.recordedReplicas.get(name) ?? [];
    const actor = new FunctionActor(name, { namespace: key.namespace, name: key.name }, recorded, this.#context);
    this.#actors.set(name, actor);
    return actor;
  }

  /** Why no instance may be created or removed just now. */
  #hindrance(): string | undefined {
    if (this.#state.problem !== undefined) {
      return this.#state.problem;
    }
    return this.#watch.isConnected ? undefined : 'junctiond is not available';
  }
}
