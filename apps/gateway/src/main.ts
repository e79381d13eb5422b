// SPDX-License-Identifier: Apache-2.0
import { runApp } from '@junctiond/rpc/nest';
import { gatewayConfig } from './config.js';
import { createGateway } from './create-gateway.js';
import { GatewayModule } from './gateway.module.js';
import { exactCounterNames } from './ingress/ingress-metrics.js';
import { nativeIngress } from './ingress/start-ingress.js';

await runApp({
  schema: gatewayConfig,
  metricsPort: ({ metricsPort }) => metricsPort,
  exactCounterNames,
  root: (config) => GatewayModule.with(config, nativeIngress(config)),
  create: createGateway,
});
