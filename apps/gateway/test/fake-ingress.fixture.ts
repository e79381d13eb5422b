// SPDX-License-Identifier: Apache-2.0
import type {
  DrainResult,
  IngressEvents,
  IngressMetrics,
  IngressOptions,
  RouteUpdate,
} from '@junctiond/native-binding';
import type { IngressPart, StartIngress } from '../src/ingress/ingress-host.js';

/** Remembers what the gateway does with its ingress. */
export class FakeIngress implements IngressPart {
  readonly port = 4711;
  readonly updates: RouteUpdate[] = [];
  readonly failed: [string, number, string][] = [];
  busy: string[] = [];
  counts: IngressMetrics = noCounts;
  /** In order: what happened to it. */
  readonly events: string[] = [];
  options: IngressOptions | undefined;
  #events: IngressEvents | undefined;
  onDrain: () => Promise<DrainResult> = () => Promise.resolve({ abandoned: 0 });

  readonly start: StartIngress = (options, events) => {
    this.options = options;
    this.#events = events;
    this.events.push('start');
    return this;
  };

  /** A request waits for the first replica. */
  coldStart(functionName: string): void {
    this.#events!.onColdStart(functionName);
  }

  /** A replica that gets nothing new has finished its last request. */
  becomeIdle(replicaId: string): void {
    this.busy = this.busy.filter((id) => id !== replicaId);
    this.#events!.onReplicaIdle(replicaId);
  }

  applyRoutes(update: RouteUpdate): void {
    this.events.push('routes');
    this.updates.push(update);
  }

  failHeld(functionName: string, status: number, message: string): void {
    this.failed.push([functionName, status, message]);
  }

  busyReplicas(): string[] {
    return this.busy;
  }

  metrics(): IngressMetrics {
    return this.counts;
  }

  async drain(): Promise<DrainResult> {
    this.events.push('drain');
    return await this.onDrain();
  }

  stop(): void {
    this.events.push('stop');
  }
}

/** What an ingress has counted before the first request. */
export const noCounts: IngressMetrics = {
  bucketBoundsSeconds: [0.001, 0.01, 0.1],
  functions: [],
  http: [],
  connections: { open: 0, accepted: 0, timedOut: 0, acceptFailures: 0, replicaOpened: 0, replicaRetries: 0 },
  spin: { hits: 0, misses: 0, spunUs: 0, skips: 0 },
  links: {
    attached: 0,
    attaches: 0,
    attachFailures: 0,
    losses: 0,
    fallbacks: 0,
    framesIn: 0,
    framesOut: 0,
    rings: 0,
    vainRings: 0,
    mutes: 0,
  },
  held: 0,
  doorbellRings: 0,
  routesVersion: 0n,
};
