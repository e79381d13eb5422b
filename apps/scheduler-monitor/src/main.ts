// SPDX-License-Identifier: Apache-2.0
import { runApp } from '@junctiond/rpc/nest';

import { schedulerMonitorConfig } from './config.js';
import { SchedulerMonitorModule } from './scheduler-monitor.module.js';

await runApp({
  schema: schedulerMonitorConfig,
  metricsPort: ({ metricsPort }) => metricsPort,
  root: () => SchedulerMonitorModule,
});
