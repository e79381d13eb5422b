// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { backoffMs } from '@junctiond/rpc';
import { LOGGER } from '@junctiond/rpc/nest';
import type { Logger } from '@junctiond/telemetry';
import { IngressHost } from '../ingress/ingress-host.js';
import { ROUTES, type RoutesClient } from '../provider/provider-clients.js';
import { GATEWAY_ID } from './gateway-id.js';
import { RouteTable } from './route-table.js';

/** Chosen: a lost report only makes the stop of a replica wait for its deadline. */
const retries = { firstMs: 50, longestMs: 1_000 };

/**
 * Tells the provider which routes are in force and which replicas are still busy, so that it stops a replica when
 * nothing is in flight there. One call at a time, always with the newest state; a failed one is repeated while
 * the provider is there, and a reconnect reports anew.
 */
@Injectable()
export class RouteReporter {
  readonly #abort = new AbortController();
  #isDue = false;
  #running: Promise<void> | undefined;

  constructor(
    @Inject(ROUTES) private readonly client: RoutesClient,
    @Inject(GATEWAY_ID) private readonly gatewayId: string,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly table: RouteTable,
    private readonly ingress: IngressHost,
  ) {}

  /** The routes changed, or a replica became idle. Never blocks. */
  report(): void {
    this.#isDue = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Sends nothing more. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let failures = 0;
    while (this.#isDue && !signal.aborted) {
      this.#isDue = false;
      try {
        await this.client.reportRoutes(
          {
            gatewayId: this.gatewayId,
            appliedVersion: this.table.version ?? 0n,
            busyReplicas: [...this.ingress.busyReplicas()],
          },
          { signal },
        );
        failures = 0;
      } catch (error) {
        this.log.debug({ error }, 'the provider did not take a report on routes');
        await sleep(backoffMs(failures, retries, Math.random), undefined, { signal }).catch(() => undefined);
        failures += 1;
        this.#isDue ||= this.table.isConnected;
      }
    }
  }
}
