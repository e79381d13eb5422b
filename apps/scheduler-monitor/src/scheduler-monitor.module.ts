// SPDX-License-Identifier: Apache-2.0
import { Inject, Injectable, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';

import { schedulerV1 } from '@junctiond/contracts';
import { APP_CONFIG, LOGGER, RpcServerModule, TELEMETRY } from '@junctiond/rpc/nest';
import type { Logger, Telemetry } from '@junctiond/telemetry';

import type { SchedulerMonitorConfig } from './config.js';
import { DaemonClient } from './daemon/daemon-client.js';
import { DaemonSupervisor } from './daemon/daemon-supervisor.js';
import { localDaemonHost } from './daemon/local-daemon-host.js';
import { GetStatsHandler } from './handlers/get-stats.handler.js';
import { WatchStatsHandler } from './handlers/watch-stats.handler.js';
import { SchedulerStatsService } from './scheduler-stats.service.js';

/** Owns the daemon: runs it with the app and ends it with the app. */
@Injectable()
export class DaemonKeeper implements OnModuleInit, OnApplicationShutdown {
  readonly stats: SchedulerStatsService;
  readonly #supervisor: DaemonSupervisor;

  constructor(
    @Inject(APP_CONFIG) config: SchedulerMonitorConfig,
    @Inject(LOGGER) log: Logger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
  ) {
    const { paths } = config;
    const client = new DaemonClient(paths.schedulerSocket, config.statsDeadlineMs);
    this.#supervisor = new DaemonSupervisor(localDaemonHost(config, paths, client, log));
    this.stats = new SchedulerStatsService({
      stats: () => client.stats(),
      restarts: () => this.#supervisor.restarts,
    });
  }

  onModuleInit(): void {
    this.telemetry.addSource(() => this.stats.metrics());
    this.telemetry.setHealth(async () => {
      const { running } = await this.stats.current();
      return { isHealthy: running, message: running ? 'ok' : 'the scheduler daemon does not answer' };
    });
    this.#supervisor.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#supervisor.stop();
  }
}

@Module({
  imports: [
    RpcServerModule.register<SchedulerMonitorConfig>({
      services: [schedulerV1.SchedulerServiceService],
      address: ({ address }) => address,
    }),
  ],
  providers: [
    DaemonKeeper,
    { provide: SchedulerStatsService, inject: [DaemonKeeper], useFactory: ({ stats }: DaemonKeeper) => stats },
    GetStatsHandler,
    WatchStatsHandler,
  ],
})
export class SchedulerMonitorModule {}
