// SPDX-License-Identifier: Apache-2.0
import { runApp } from '@junctiond/rpc/nest';
import { providerConfig } from './config.js';
import { ProviderModule } from './provider.module.js';

await runApp({
  schema: providerConfig,
  metricsPort: ({ metricsPort }) => metricsPort,
  root: () => ProviderModule.create(),
});
