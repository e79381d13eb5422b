// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { watchWithReconnect } from '@junctiond/rpc';
import type { Logger } from '@junctiond/telemetry';
import { messageOf } from '../domain/provider.error.js';
import { type Replica, replicaOf } from '../domain/replica.js';
import { Listeners } from '../platform/listeners.js';
import type { InstanceCache } from './instance-cache.js';
import type { JunctiondClient } from './junctiond.client.js';
import { untilReady } from './readiness-probe.js';

/** Follows junctiond's instances into the cache, over any number of its restarts. */
export class InstanceWatch {
  readonly #junctiond: JunctiondClient;
  readonly #cache: InstanceCache;
  readonly #readyPathOf: (replica: Replica) => string;
  readonly #log: Logger;
  readonly #connected = new Listeners<[boolean]>();
  readonly #probes = new Map<string, AbortController>();
  readonly #stopping = new AbortController();
  #isConnected = false;
  #hadSnapshot = false;
  #running: Promise<void> | undefined;

  constructor(
    junctiond: JunctiondClient,
    cache: InstanceCache,
    readyPathOf: (replica: Replica) => string,
    log: Logger,
  ) {
    this.#junctiond = junctiond;
    this.#cache = cache;
    this.#readyPathOf = readyPathOf;
    this.#log = log;
  }

  /** The cache holds everything that junctiond has, as of now. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  onConnected(listener: (isConnected: boolean) => void): void {
    this.#connected.add(listener);
  }

  start(): void {
    this.#running = watchWithReconnect({
      open: (signal) => this.#junctiond.watch(signal),
      onItem: (event) => this.#apply(event),
      onDisconnect: (error) => {
        this.#log.warn({ error: messageOf(error) }, 'junctiond is not available: changes of instances have to wait');
        this.#setConnected(false);
      },
      signal: this.#stopping.signal,
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the provider is stopping'));
    for (const probe of this.#probes.values()) {
      probe.abort(new Error('the provider is stopping'));
    }
    await this.#running;
  }

  #apply({ type, instances }: instanceV1.InstanceEvent): void {
    const replicas = instances.flatMap((instance) => replicaOf(instance) ?? []);
    switch (type) {
      case instanceV1.InstanceEvent_Type.TYPE_SNAPSHOT:
        for (const id of this.#probes.keys()) {
          if (!replicas.some((replica) => replica.id === id)) {
            this.#endProbe(id);
          }
        }
        this.#cache.replace(replicas.map((replica) => this.#admit(replica)));
        this.#hadSnapshot = true;
        this.#setConnected(true);
        return;
      case instanceV1.InstanceEvent_Type.TYPE_CHANGED:
        for (const replica of replicas) {
          this.#cache.put(this.#admit(replica));
        }
        return;
      case instanceV1.InstanceEvent_Type.TYPE_DELETED:
        for (const { id } of replicas) {
          this.#endProbe(id);
          this.#cache.remove(id);
        }
        return;
      default:
        this.#log.warn({ type }, 'junctiond sent an event of an unknown type');
    }
  }

  /** A replica that has just begun to listen counts as starting until its probe is over. */
  #admit(replica: Replica): Replica {
    const path = this.#readyPathOf(replica);
    const isKnownReady = !this.#hadSnapshot || this.#cache.get(replica.id)?.phase === 'ready';
    if (replica.phase !== 'ready' || replica.endpoint === undefined || path === '' || isKnownReady) {
      this.#endProbe(replica.id);
      return replica;
    }
    if (!this.#probes.has(replica.id)) {
      this.#probe(replica, path);
    }
    return { ...replica, phase: 'starting', endpoint: undefined };
  }

  #probe(replica: Replica, path: string): void {
    const abort = new AbortController();
    this.#probes.set(replica.id, abort);
    const { endpoint } = replica;
    if (endpoint === undefined) {
      return;
    }
    untilReady(endpoint, path, abort.signal).then(
      () => {
        if (this.#probes.get(replica.id) === abort) {
          this.#probes.delete(replica.id);
          this.#cache.put(replica);
        }
      },
      () => undefined, // Aborted: it is not listening any more.
    );
  }

  #endProbe(id: string): void {
    this.#probes.get(id)?.abort(new Error('the replica does not listen any more'));
    this.#probes.delete(id);
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected !== isConnected) {
      this.#isConnected = isConnected;
      if (isConnected) {
        this.#log.info('following the instances of junctiond');
      }
      this.#connected.tell(isConnected);
    }
  }
}
