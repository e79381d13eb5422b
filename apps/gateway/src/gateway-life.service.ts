// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationShutdown } from '@nestjs/common';
import { APP_CONFIG, LOGGER, TELEMETRY } from '@junctiond/rpc/nest';
import type { Logger, Telemetry } from '@junctiond/telemetry';
import type { GatewayConfig } from './config.js';
import { IngressHost } from './ingress/ingress-host.js';
import { ingressSeries, routeSeries } from './ingress/ingress-metrics.js';
import { ColdStarts } from './routes/cold-start.service.js';
import { toIngressUpdate } from './routes/ingress-route.js';
import { RouteReporter } from './routes/route-reporter.service.js';
import { RouteTable } from './routes/route-table.js';
import { RouteWatch } from './routes/route-watch.service.js';

/** The order in which the gateway comes up and goes down. */
@Injectable()
export class GatewayLife implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(APP_CONFIG) private readonly config: GatewayConfig,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    private readonly ingress: IngressHost,
    private readonly table: RouteTable,
    private readonly watch: RouteWatch,
    private readonly reporter: RouteReporter,
    private readonly coldStarts: ColdStarts,
  ) {}

  /**
   * Serves clients, with routes from the first request on where the provider is there. The API must listen already,
   * because the ingress passes requests on to it.
   */
  async start(): Promise<void> {
    this.watch.start();
    await this.#routesOrTimeout();
    this.ingress.start({
      onColdStart: (functionName) => void this.coldStarts.begin(functionName),
      onReplicaIdle: () => this.reporter.report(),
      onError: (error) => this.log.error({ error }, 'the ingress had a failure'),
    });
    // In the same turn: no request is looked up in between.
    const routes = this.table.snapshot();
    if (routes !== undefined) this.ingress.applyRoutes(toIngressUpdate(routes));
    this.telemetry.addSource(() => {
      const metrics = this.ingress.metrics();
      return metrics === undefined ? [] : ingressSeries(metrics);
    });
    this.telemetry.addSource(() => routeSeries(this.table));
    this.telemetry.setHealth(() => {
      const provider = this.table.isConnected ? 'provider connected' : 'provider away, serving the last routes';
      return this.ingress.isServing
        ? { isHealthy: true, message: `ok, ${provider}` }
        : { isHealthy: false, message: 'not serving' };
    });
    this.log.info({ host: this.config.host, port: this.ingress.port }, 'serving functions and the API');
  }

  async #routesOrTimeout(): Promise<void> {
    const enough = new AbortController();
    const timeout = sleep(this.config.routesTimeoutMs, undefined, { signal: enough.signal }).catch(() => undefined);
    await Promise.race([this.table.filled, timeout]);
    enough.abort();
  }

  /** Routes still come while requests finish: those that wait for a first replica need them. */
  async beforeApplicationShutdown(): Promise<void> {
    const abandoned = await this.ingress.drain(this.config.drainTimeoutMs);
    if (abandoned > 0) this.log.warn({ abandoned, afterMs: this.config.drainTimeoutMs }, 'requests were cut off');
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.watch.stop(), this.reporter.stop()]);
  }
}
