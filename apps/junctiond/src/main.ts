// SPDX-License-Identifier: Apache-2.0
import { runApp } from '@junctiond/rpc/nest';

import { junctiondConfig } from './config.js';
import { JunctiondModule } from './junctiond.module.js';

await runApp({
  schema: junctiondConfig,
  metricsPort: (config) => config.metricsPort,
  root: () => JunctiondModule,
});
