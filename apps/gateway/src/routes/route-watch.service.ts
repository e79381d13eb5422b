// SPDX-License-Identifier: Apache-2.0
import { Inject, Injectable } from '@nestjs/common';
import { watchWithReconnect } from '@junctiond/rpc';
import { LOGGER } from '@junctiond/rpc/nest';
import type { Logger } from '@junctiond/telemetry';
import { IngressHost } from '../ingress/ingress-host.js';
import { ROUTES, type RoutesClient } from '../provider/provider-clients.js';
import { GATEWAY_ID } from './gateway-id.js';
import { toIngressUpdate } from './ingress-route.js';
import { RouteReporter } from './route-reporter.service.js';
import { RouteTable } from './route-table.js';

/** Keeps the ingress' routes those of the provider. While it is away the last ones go on serving. */
@Injectable()
export class RouteWatch {
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    @Inject(ROUTES) private readonly client: RoutesClient,
    @Inject(GATEWAY_ID) private readonly gatewayId: string,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly table: RouteTable,
    private readonly ingress: IngressHost,
    private readonly reporter: RouteReporter,
  ) {}

  /** Watches until `stop`. */
  start(): void {
    this.#running ??= watchWithReconnect({
      open: (signal) => this.client.watchRoutes({ gatewayId: this.gatewayId }, { deadlineMs: Infinity, signal }),
      onItem: (update) => {
        this.table.apply(update);
        this.ingress.applyRoutes(toIngressUpdate(update));
        this.reporter.report();
      },
      onConnect: () => {
        this.table.isConnected = true;
        this.log.info('routes come from the provider');
      },
      onDisconnect: (error) => {
        this.table.isConnected = false;
        this.log.warn({ error, version: this.table.version }, 'the provider is away, serving the last routes');
      },
      signal: this.#abort.signal,
    });
  }

  /** Ends the watch. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }
}
