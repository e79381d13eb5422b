// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import {
  type ConfigOf,
  checkRpcCredentials,
  defineConfig,
  duration,
  integer,
  junctiondAddressField,
  optional,
  path,
  port,
  providerAddressField,
  redisUrlField,
  rpcFields,
  telemetryFields,
  text,
} from '@junctiond/config';
import { NODE_HOST } from '@junctiond/instance-model';

/** All settings of the provider. */
export const providerConfig = defineConfig({
  name: 'provider',
  fields: {
    ...telemetryFields,
    ...rpcFields,
    address: providerAddressField,
    junctiondAddress: junctiondAddressField,
    redisUrl: redisUrlField,
    redisPasswordFile: optional(
      path({
        env: 'JUNCTION_REDIS_PASSWORD_FILE',
        doc: "File with the password of Redis, where the URL does not have it; a line end at the file's end is cut off.",
      }),
    ),
    metricsPort: port({
      env: 'JUNCTION_PROVIDER_METRICS_PORT',
      default: ({ ports }) => ports.providerMetrics,
      doc: 'Port of /metrics and /healthz.',
    }),
    secretsKeyFile: path({
      env: 'JUNCTION_PROVIDER_SECRETS_KEY_FILE',
      default: ({ paths }) => join(paths.authDir, 'secrets-key'),
      doc: 'File with the 32 bytes (base64) that secrets in Redis are sealed with; made at the first start. Without it they cannot be read again.',
    }),
    gatewayHost: text({
      env: 'JUNCTION_PROVIDER_GATEWAY_HOST',
      default: NODE_HOST,
      pattern: /^(host|[0-9a-fA-F:.]+)$/,
      shape: 'host or an IP address',
      doc: 'What the name gateway resolves to inside instances; host is the address at which they reach their node.',
    }),
    leaseMs: duration({
      env: 'JUNCTION_PROVIDER_LEASE',
      default: 10_000,
      min: 1_000,
      max: 300_000,
      doc: 'How long a provider that no longer answers keeps others on its Redis waiting; one on the same node that is dead keeps nobody waiting.',
    }),
    imageCheckMs: duration({
      env: 'JUNCTION_PROVIDER_IMAGE_CHECK',
      default: 60_000,
      min: 100,
      max: 3_600_000,
      doc: 'How long a deployment waits for its image; past it the deployment is accepted and goes on by itself.',
    }),
    imagePullMs: duration({
      env: 'JUNCTION_PROVIDER_IMAGE_PULL',
      default: 600_000,
      min: 1_000,
      max: 3_600_000,
      doc: 'How long an image may take to be fetched and unpacked.',
    }),
    retryFirstMs: duration({
      env: 'JUNCTION_PROVIDER_RETRY_FIRST',
      default: 10_000,
      min: 100,
      max: 3_600_000,
      doc: 'Pause after replicas of a function could not be started for the first time; it doubles with each failure.',
    }),
    retryMaxMs: duration({
      env: 'JUNCTION_PROVIDER_RETRY_MAX',
      default: 300_000,
      min: 100,
      max: 3_600_000,
      doc: 'Longest pause between two attempts to start replicas of a function.',
    }),
    gatewayAbsenceMs: duration({
      env: 'JUNCTION_PROVIDER_GATEWAY_ABSENCE',
      default: 5_000,
      min: 0,
      max: 300_000,
      doc: 'How long draining replicas wait for a gateway whose connection was lost, and after the start of the provider for gateways to come back.',
    }),
    junctiondAbsenceMs: duration({
      env: 'JUNCTION_PROVIDER_JUNCTIOND_ABSENCE',
      default: 2_000,
      min: 0,
      max: 300_000,
      doc: 'How long the provider waits for junctiond at its start before it gives gateways the routes last recorded in Redis.',
    }),
    resyncMs: duration({
      env: 'JUNCTION_PROVIDER_RESYNC',
      default: 60_000,
      min: 1_000,
      max: 3_600_000,
      doc: 'How often every function is looked at again without a cause.',
    }),
    startsAtOnce: integer({
      env: 'JUNCTION_PROVIDER_STARTS_AT_ONCE',
      default: 16,
      min: 1,
      max: 1_024,
      doc: 'How many instances are created side by side.',
    }),
  },
  checks: [
    (config) => checkRpcCredentials(config, [config.address, config.junctiondAddress]),
    ({ retryFirstMs, retryMaxMs }) =>
      retryFirstMs > retryMaxMs
        ? 'JUNCTION_PROVIDER_RETRY_FIRST is longer than JUNCTION_PROVIDER_RETRY_MAX'
        : undefined,
  ],
});

export type ProviderConfig = ConfigOf<typeof providerConfig>;
