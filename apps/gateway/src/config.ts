// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';
import {
  bytes,
  checkRpcCredentials,
  defineConfig,
  duration,
  flag,
  integer,
  optional,
  path,
  port,
  providerAddressField,
  rpcFields,
  telemetryFields,
  text,
  type ConfigOf,
} from '@junctiond/config';
import { INGRESS_DEFAULTS } from '@junctiond/native-binding';

/** All settings of the gateway. */
export const gatewayConfig = defineConfig({
  name: 'gateway',
  fields: {
    ...telemetryFields,
    ...rpcFields,
    host: text({
      env: 'JUNCTION_GATEWAY_HOST',
      default: '127.0.0.1',
      doc: 'IP address on which functions and the API are served; 0.0.0.0 or :: serves the network.',
    }),
    port: port({
      env: 'JUNCTION_GATEWAY_PORT',
      default: ({ ports }) => ports.gateway,
      doc: 'Port on which functions and the API are served.',
    }),
    metricsPort: port({
      env: 'JUNCTION_GATEWAY_METRICS_PORT',
      default: ({ ports }) => ports.gatewayMetrics,
      doc: 'Port of /metrics and /healthz.',
    }),
    hasBasicAuth: flag({
      env: 'JUNCTION_GATEWAY_BASIC_AUTH',
      default: true,
      doc: 'Whether the API asks for credentials; invocations never do.',
    }),
    basicAuthUserFile: path({
      env: 'JUNCTION_GATEWAY_BASIC_AUTH_USER_FILE',
      default: ({ paths }) => paths.basicAuthUserFile,
      doc: 'File with the user name of the API; made when missing.',
    }),
    basicAuthPasswordFile: path({
      env: 'JUNCTION_GATEWAY_BASIC_AUTH_PASSWORD_FILE',
      default: ({ paths }) => paths.basicAuthPasswordFile,
      doc: 'File with the password of the API, which is also its bearer token; made with a random one when missing.',
    }),
    providerAddress: providerAddressField,
    providerTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_PROVIDER_TIMEOUT',
      default: 10_000,
      min: 100,
      doc: 'Deadline of a call to the provider; past it the API answers 504.',
    }),
    deployTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_DEPLOY_TIMEOUT',
      default: 150_000,
      min: 100,
      doc: 'The same for deployments, which may have to pull an image.',
    }),
    apiBodyLimitBytes: bytes({
      env: 'JUNCTION_GATEWAY_API_BODY_LIMIT',
      default: 4 * 1024 * 1024,
      min: 1_024,
      max: 32 * 1024 * 1024,
      doc: 'Largest body of an API request, past it 413; invocations have no limit.',
    }),
    routesTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_ROUTES_TIMEOUT',
      default: 2_000,
      doc: 'How long a starting gateway waits for routes before it serves without; a function is unknown until its route is there.',
    }),
    drainTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_DRAIN_TIMEOUT',
      default: 8_000,
      doc: 'How long invocations may take to finish once the gateway is told to stop.',
    }),
    workers: integer({
      env: 'JUNCTION_GATEWAY_WORKERS',
      default: INGRESS_DEFAULTS.workers,
      min: 1,
      max: 64,
      doc: 'Threads that serve requests.',
    }),
    spinUs: integer({
      env: 'JUNCTION_GATEWAY_SPIN_US',
      default: INGRESS_DEFAULTS.spinUs,
      min: 0,
      max: 1_000,
      doc: 'Longest time in microseconds that an idle worker polls for a foreseen event before it sleeps.',
    }),
    maxConnections: integer({
      env: 'JUNCTION_GATEWAY_MAX_CONNECTIONS',
      default: INGRESS_DEFAULTS.maxConnections,
      min: 1,
      max: 1_000_000,
      doc: 'Client connections in all; past it accepting pauses.',
    }),
    headerLimitBytes: bytes({
      env: 'JUNCTION_GATEWAY_HEADER_LIMIT',
      default: INGRESS_DEFAULTS.headerLimitBytes,
      min: 1_024,
      max: 16 * 1024 * 1024,
      doc: 'Request line and headers together; past it 431.',
    }),
    headerTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_HEADER_TIMEOUT',
      default: INGRESS_DEFAULTS.headerTimeoutMs,
      min: 1,
      max: 3_600_000,
      doc: 'From the first byte of a request to the end of its headers; past it 408.',
    }),
    idleTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_IDLE_TIMEOUT',
      default: INGRESS_DEFAULTS.idleTimeoutMs,
      min: 1,
      max: 3_600_000,
      doc: 'After that a kept-alive connection without a request is closed.',
    }),
    stallTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_STALL_TIMEOUT',
      default: INGRESS_DEFAULTS.stallTimeoutMs,
      min: 1,
      max: 3_600_000,
      doc: 'After that a client that reads or sends nothing while it should is cut off.',
    }),
    connectTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_CONNECT_TIMEOUT',
      default: INGRESS_DEFAULTS.connectTimeoutMs,
      min: 1,
      max: 600_000,
      doc: 'For a connection to a replica; past it another one is tried, then 502.',
    }),
    functionTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_FUNCTION_TIMEOUT',
      default: INGRESS_DEFAULTS.defaultTimeoutMs,
      min: 1,
      max: 86_400_000,
      doc: 'For the invocation of a function that sets none by the label com.openfaas.timeout; past it 504.',
    }),
    queueTimeoutMs: duration({
      env: 'JUNCTION_GATEWAY_QUEUE_TIMEOUT',
      default: INGRESS_DEFAULTS.queueTimeoutMs,
      max: 3_600_000,
      doc: "Longest wait for a free place where a function's max_inflight is reached; past it 429.",
    }),
    maxQueuedPerFunction: integer({
      env: 'JUNCTION_GATEWAY_MAX_QUEUED_PER_FUNCTION',
      default: INGRESS_DEFAULTS.maxQueuedPerFunction,
      min: 0,
      max: 1_000_000,
      doc: 'Requests a function and worker that may wait for such a place; past it 429.',
    }),
    maxHeldPerFunction: integer({
      env: 'JUNCTION_GATEWAY_MAX_HELD_PER_FUNCTION',
      default: INGRESS_DEFAULTS.maxHeldPerFunction,
      min: 0,
      max: 1_000_000,
      doc: 'Requests of one function that may wait for its first replica; past it 503.',
    }),
    maxHeldTotal: integer({
      env: 'JUNCTION_GATEWAY_MAX_HELD_TOTAL',
      default: INGRESS_DEFAULTS.maxHeldTotal,
      min: 0,
      max: 1_000_000,
      doc: 'The same over all functions.',
    }),
    schedulerDoorbellPath: path({
      env: 'JUNCTION_GATEWAY_DOORBELL_FILE',
      default: ({ paths }) => paths.schedulerDoorbell,
      doc: 'Shared page on which the scheduler hears of new work; nothing is rung when it is missing.',
    }),
    eventQueuePath: path({
      env: 'JUNCTION_GATEWAY_EVENT_QUEUE_FILE',
      default: ({ paths }) => paths.nicEvents,
      doc: 'Event queue in which the scheduler hears of instances that were woken; nothing is posted when it is missing.',
    }),
    addonPath: optional(
      path({
        env: 'JUNCTION_ADDON',
        doc: 'The native addon; native/build/release/junction_addon.node of this project unless set.',
      }),
    ),
  },
  checks: [
    (config) => checkRpcCredentials(config, [config.providerAddress]),
    ({ host }) =>
      isIP(host) === 0 ? `JUNCTION_GATEWAY_HOST is ${JSON.stringify(host)}, expected an IP address` : undefined,
  ],
});

/** The gateway's configuration. */
export type GatewayConfig = ConfigOf<typeof gatewayConfig>;
