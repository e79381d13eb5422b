// SPDX-License-Identifier: Apache-2.0
import { Inject, Injectable } from '@nestjs/common';
import type { Ingress, IngressEvents, IngressMetrics, IngressOptions, RouteUpdate } from '@junctiond/native-binding';
import { APP_CONFIG } from '@junctiond/rpc/nest';
import type { GatewayConfig } from '../config.js';

/** What the gateway uses of the native ingress; tests put their own in its place. */
export type IngressPart = Pick<
  Ingress,
  'port' | 'applyRoutes' | 'failHeld' | 'busyReplicas' | 'metrics' | 'drain' | 'stop'
>;

/** Starts an ingress. */
export type StartIngress = (options: IngressOptions, events: IngressEvents) => IngressPart;

/** Token of the function that starts the ingress. */
export const START_INGRESS = Symbol('START_INGRESS');

/** Holds the ingress: there is none before `start` and after `drain`. */
@Injectable()
export class IngressHost {
  #ingress: IngressPart | undefined;
  #lastMetrics: IngressMetrics | undefined;

  constructor(
    @Inject(START_INGRESS) private readonly startIngress: StartIngress,
    @Inject(APP_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /** Listens for clients. @throws NativeError when the address is taken or an option is out of range. */
  start(events: IngressEvents): void {
    const { config } = this;
    this.#ingress = this.startIngress(
      {
        host: config.host,
        port: config.port,
        apiSocketPath: config.paths.gatewayApiSocket,
        workers: config.workers,
        spinUs: config.spinUs,
        maxConnections: config.maxConnections,
        headerLimitBytes: config.headerLimitBytes,
        headerTimeoutMs: config.headerTimeoutMs,
        idleTimeoutMs: config.idleTimeoutMs,
        stallTimeoutMs: config.stallTimeoutMs,
        connectTimeoutMs: config.connectTimeoutMs,
        defaultTimeoutMs: config.functionTimeoutMs,
        queueTimeoutMs: config.queueTimeoutMs,
        maxQueuedPerFunction: config.maxQueuedPerFunction,
        maxHeldPerFunction: config.maxHeldPerFunction,
        maxHeldTotal: config.maxHeldTotal,
        schedulerDoorbellPath: config.schedulerDoorbellPath,
        eventQueuePath: config.eventQueuePath,
      },
      events,
    );
  }

  /** True while clients are served. */
  get isServing(): boolean {
    return this.#ingress !== undefined;
  }

  /** The port that clients use; undefined while nothing listens. */
  get port(): number | undefined {
    return this.#ingress?.port;
  }

  /** Swaps the routes; nothing happens while there is no ingress: `start` is followed by a snapshot. */
  applyRoutes(update: RouteUpdate): void {
    this.#ingress?.applyRoutes(update);
  }

  /** Answers what waits for a function's first replica. */
  failHeld(functionName: string, status: number, message: string): void {
    this.#ingress?.failHeld(functionName, status, message);
  }

  /** Replicas that get nothing new and still have requests in flight. */
  busyReplicas(): readonly string[] {
    return this.#ingress?.busyReplicas() ?? [];
  }

  /** What was counted; the last counts once the ingress is gone, undefined before it was there. */
  metrics(): IngressMetrics | undefined {
    this.#lastMetrics = this.#ingress?.metrics() ?? this.#lastMetrics;
    return this.#lastMetrics;
  }

  /** Lets what is in flight finish, up to the deadline, and stops; answers how many requests were cut off. */
  async drain(deadlineMs: number): Promise<number> {
    const ingress = this.#ingress;
    if (ingress === undefined) return 0;
    this.metrics(); // Kept for the scrapes of the last moments.
    try {
      return (await ingress.drain(deadlineMs)).abandoned;
    } finally {
      this.#ingress = undefined;
      ingress.stop();
    }
  }
}
