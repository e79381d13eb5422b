// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';

import {
  checkRpcCredentials,
  choice,
  type ConfigOf,
  defineConfig,
  duration,
  flag,
  networkFields,
  optional,
  path,
  port,
  rpcFields,
  schedulerMonitorAddressField,
  telemetryFields,
  uplinkDeviceField,
} from '@junctiond/config';

export const schedulerMonitorConfig = defineConfig({
  name: 'scheduler-monitor',
  fields: {
    ...telemetryFields,
    ...rpcFields,
    address: schedulerMonitorAddressField,
    metricsPort: port({
      env: 'JUNCTION_MONITOR_METRICS_PORT',
      default: ({ ports }) => ports.schedulerMonitorMetrics,
      doc: 'Port of /metrics and /healthz of scheduler-monitor; 0 = any.',
    }),
    schedulerBinary: optional(
      path({
        env: 'JUNCTION_SCHEDULER_BINARY',
        doc: 'The scheduler daemon; native/build/release/junction_scheduler of this project unless set.',
      }),
    ),
    addon: optional(
      path({
        env: 'JUNCTION_ADDON',
        doc: 'The native addon; native/build/release/junction_addon.node of this project unless set.',
      }),
    ),
    idleStates: choice({
      env: 'JUNCTION_IDLE_STATES',
      of: ['auto', 'cpu_dma_latency', 'haltpoll', 'none'],
      default: 'auto',
      doc: 'How the machine’s idle states are kept shallow while there is work, so that sleeping cores wake in microseconds.',
    }),
    letGoAfterMs: duration({
      env: 'JUNCTION_IDLE_STATES_LET_GO_AFTER',
      default: 1_000,
      min: 10,
      max: 600_000,
      doc: 'How long after the last work idle states may be deep again.',
    }),
    ...networkFields,
    uplinkDevice: uplinkDeviceField,
    gatewayPort: port({
      env: 'JUNCTION_GATEWAY_PORT', // the gateway's own
      default: ({ ports }) => ports.gateway,
      doc: 'Port of the gateway on the host’s loopback, which functions reach under the name gateway.',
    }),
    functionsReachGateway: flag({
      env: 'JUNCTION_UPLINK_GATEWAY',
      default: true,
      doc: 'Whether functions reach the gateway by the uplink, to call others.',
    }),
    statsDeadlineMs: duration({
      env: 'JUNCTION_MONITOR_STATS_DEADLINE',
      default: 1_000,
      min: 10,
      max: 60_000,
      doc: 'How long the daemon may take to answer for its stats.',
    }),
  },
  checks: [(config) => checkRpcCredentials(config, [config.address])],
});

export type SchedulerMonitorConfig = ConfigOf<typeof schedulerMonitorConfig>;

/** Where the native build puts the daemon; seen from src/ and from dist/ alike. */
export function defaultSchedulerBinary(): string {
  return fileURLToPath(new URL('../../../native/build/release/junction_scheduler', import.meta.url));
}
