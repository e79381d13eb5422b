// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from 'node:os';

import {
  bytes,
  checkRpcCredentials,
  type ConfigOf,
  defineConfig,
  duration,
  integer,
  junctiondAddressField,
  networkFields,
  list,
  optional,
  path,
  port,
  rpcFields,
  telemetryFields,
  text,
  url,
} from '@junctiond/config';
import { parseAddressRange, parseAddressRange6 } from '@junctiond/instance-model';

/** Above what an instance of today's kernels needs to start. */
const MIN_MEMORY = 4 * 1024 * 1024;

export const junctiondConfig = defineConfig({
  name: 'junctiond',
  fields: {
    ...telemetryFields,
    ...rpcFields,
    address: junctiondAddressField,
    metricsPort: port({
      env: 'JUNCTION_JUNCTIOND_METRICS_PORT',
      default: ({ ports }) => ports.junctiondMetrics,
      doc: 'Port of /metrics and /healthz of junctiond; 0 = any.',
    }),
    runBinary: optional(
      path({
        env: 'JUNCTION_RUN_BINARY',
        doc: 'The junction_run that starts instances; native/build/release/junction_run of this project unless set.',
      }),
    ),

    addon: optional(
      path({
        env: 'JUNCTION_ADDON',
        doc: 'The native addon; native/build/release/junction_addon.node of this project unless set.',
      }),
    ),

    ...networkFields,
    links: integer({
      env: 'JUNCTION_JUNCTIOND_LINKS',
      default: 2,
      min: 1,
      max: 7, // kMaxNicPorts of native/src/nic/nic_layout.h without the uplink
      doc: 'Links that an instance with a NIC has room for: one for each worker of each gateway of the node, and of a gateway that takes over.',
    }),
    spinningKthreads: integer({
      env: 'JUNCTION_JUNCTIOND_SPINNING_KTHREADS',
      default: 0,
      min: 0,
      max: 4096,
      doc: '0 = before it sleeps an instance polls up to 0.5 ms for a request that is foreseen to come by then; else up to 10 ms, for machines with cores to spare.',
    }),
    defaultCoreLimit: integer({
      env: 'JUNCTION_JUNCTIOND_DEFAULT_CORES',
      default: 1,
      min: 1,
      max: 4096,
      doc: 'Cores that an instance may use at once when its creator does not say.',
    }),
    defaultMemory: bytes({
      env: 'JUNCTION_JUNCTIOND_DEFAULT_MEMORY',
      default: 512 * 1024 * 1024,
      min: MIN_MEMORY,
      doc: 'Memory limit of an instance when its creator does not say.',
    }),
    defaultPids: integer({
      env: 'JUNCTION_JUNCTIOND_DEFAULT_PIDS',
      default: 1024,
      min: 4,
      max: 4_194_304,
      doc: 'Processes and threads that an instance may have when its creator does not say.',
    }),
    defaultListenDeadlineMs: duration({
      env: 'JUNCTION_JUNCTIOND_LISTEN_DEADLINE',
      default: 60_000,
      min: 10,
      max: 3_600_000,
      doc: 'Time within which an instance must listen on its service port when its creator does not say.',
    }),
    defaultGracePeriodMs: duration({
      env: 'JUNCTION_JUNCTIOND_GRACE_PERIOD',
      default: 30_000,
      min: 1,
      max: 3_600_000,
      doc: 'Time between SIGTERM and SIGKILL when an instance is stopped and its creator does not say.',
    }),
    logMaxBytes: bytes({
      env: 'JUNCTION_JUNCTIOND_LOG_SIZE',
      default: 8 * 1024 * 1024,
      min: 64 * 1024,
      max: 1024 * 1024 * 1024,
      doc: 'Output kept of each instance.',
    }),
    restartBaseMs: duration({
      env: 'JUNCTION_JUNCTIOND_RESTART_BASE',
      default: 200,
      min: 1,
      max: 60_000,
      doc: 'Delay before the first restart of an instance that ended; it doubles with each further one.',
    }),
    restartMaxMs: duration({
      env: 'JUNCTION_JUNCTIOND_RESTART_MAX',
      default: 30_000,
      min: 1,
      max: 3_600_000,
      doc: 'Longest delay before a restart.',
    }),
    restartStableMs: duration({
      env: 'JUNCTION_JUNCTIOND_RESTART_STABLE',
      default: 10_000,
      min: 1,
      max: 3_600_000,
      doc: 'An instance that ran this long is restarted as if it had not ended before.',
    }),

    insecureRegistries: list({
      env: 'JUNCTION_JUNCTIOND_INSECURE_REGISTRIES',
      default: [],
      doc: 'Registries (host or host:port) that may be spoken to over plain HTTP or with an unknown certificate.',
    }),
    registryAuthFile: optional(
      path({
        env: 'JUNCTION_JUNCTIOND_REGISTRY_AUTH_FILE',
        doc: "Credentials of registries, in the form of docker's config.json.",
      }),
    ),
    imagePolicyFile: optional(
      path({
        env: 'JUNCTION_JUNCTIOND_IMAGE_POLICY_FILE',
        doc: 'Signatures that images must have (containers-policy.json); without it none are asked for.',
      }),
    ),
    imageProxy: optional(
      url({
        env: 'JUNCTION_JUNCTIOND_IMAGE_PROXY',
        protocols: ['http:', 'https:'],
        doc: 'HTTP proxy through which registries are reached.',
      }),
    ),
    imageNoProxy: list({
      env: 'JUNCTION_JUNCTIOND_IMAGE_NO_PROXY',
      default: ['localhost', '127.0.0.1'],
      doc: 'Registries that are reached without the proxy.',
    }),
    imageTimeoutMs: duration({
      env: 'JUNCTION_JUNCTIOND_IMAGE_TIMEOUT',
      default: 600_000,
      min: 1000,
      max: 86_400_000,
      doc: 'Time within which an image must be brought, and within which it must be unpacked.',
    }),
    imageParallel: integer({
      env: 'JUNCTION_JUNCTIOND_IMAGE_PARALLEL',
      default: 3,
      min: 1,
      max: 64,
      doc: 'Images that are brought or unpacked at the same time.',
    }),
    imageUnusedMs: duration({
      env: 'JUNCTION_JUNCTIOND_IMAGE_UNUSED',
      default: 7 * 86_400_000,
      min: 0,
      doc: 'An image that no instance used for this long is removed.',
    }),
    skopeo: text({ env: 'JUNCTION_JUNCTIOND_SKOPEO', default: 'skopeo', doc: 'The skopeo program.' }),
    umoci: text({ env: 'JUNCTION_JUNCTIOND_UMOCI', default: 'umoci', doc: 'The umoci program.' }),
  },
  checks: [
    (config) => checkRpcCredentials(config, [config.address]),
    ({ instanceNetwork }) => {
      const range = parseAddressRange(instanceNetwork);
      return range.ok ? undefined : `JUNCTION_JUNCTIOND_INSTANCE_NETWORK: ${range.error}`;
    },
    ({ instanceNetwork6 }) => {
      const range = parseAddressRange6(instanceNetwork6);
      return range.ok ? undefined : `JUNCTION_JUNCTIOND_INSTANCE_NETWORK6: ${range.error}`;
    },
    ({ restartBaseMs, restartMaxMs }) =>
      restartBaseMs > restartMaxMs
        ? 'JUNCTION_JUNCTIOND_RESTART_BASE is above JUNCTION_JUNCTIOND_RESTART_MAX'
        : undefined,
  ],
});

export type JunctiondConfig = ConfigOf<typeof junctiondConfig>;

/** Cores of this node. */
export function nodeCores(): number {
  return availableParallelism();
}
