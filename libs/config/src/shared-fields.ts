// SPDX-License-Identifier: Apache-2.0
// Settings that several apps have under the same variable.
import type { Address } from './address.js';
import { address, choice, integer, optional, path, text, url } from './fields.js';
import { deviceNamePattern, stackNetwork } from './stack-network.js';

/** Logs, traces and the address of /metrics: every app has them. */
export const telemetryFields = {
  logLevel: choice({
    env: 'JUNCTION_LOG_LEVEL',
    of: ['trace', 'debug', 'info', 'warn', 'error'],
    default: 'info',
    doc: 'Least severe log line that is written.',
  }),
  otlpEndpoint: optional(
    url({
      env: 'JUNCTION_OTLP_ENDPOINT',
      protocols: ['http:', 'https:'],
      doc: 'OTLP/HTTP collector for traces; without it no trace is made.',
    }),
  ),
  metricsHost: text({
    env: 'JUNCTION_METRICS_HOST',
    default: '127.0.0.1',
    doc: 'Address on which /metrics and /healthz listen.',
  }),
};

/** Credentials of gRPC on TCP: every app has them; on unix sockets the socket's mode is the access control. */
export const rpcFields = {
  rpcTokenFile: optional(
    path({
      env: 'JUNCTION_RPC_TOKEN_FILE',
      doc: 'File with the token that gRPC calls on TCP carry; obligatory there.',
    }),
  ),
  rpcTlsCaFile: optional(
    path({
      env: 'JUNCTION_RPC_TLS_CA_FILE',
      doc: 'Certificates (PEM) of the authority that signs both sides, for mTLS on TCP.',
    }),
  ),
  rpcTlsCertFile: optional(
    path({ env: 'JUNCTION_RPC_TLS_CERT_FILE', doc: "The app's own certificate (PEM), for mTLS on TCP." }),
  ),
  rpcTlsKeyFile: optional(
    path({ env: 'JUNCTION_RPC_TLS_KEY_FILE', doc: "The app's own private key (PEM), for mTLS on TCP." }),
  ),
};

/** Where junctiond serves, and its clients call. */
export const junctiondAddressField = address({
  env: 'JUNCTION_JUNCTIOND_ADDRESS',
  default: ({ paths }): Address => ({ kind: 'unix', path: paths.junctiondSocket }),
  doc: 'Address of the gRPC API of junctiond.',
});

/** Where the provider serves, and its clients call. */
export const providerAddressField = address({
  env: 'JUNCTION_PROVIDER_ADDRESS',
  default: ({ paths }): Address => ({ kind: 'unix', path: paths.providerSocket }),
  doc: 'Address of the gRPC API of the provider.',
});

/** Where scheduler-monitor serves, and its clients call. */
export const schedulerMonitorAddressField = address({
  env: 'JUNCTION_MONITOR_ADDRESS',
  default: ({ paths }): Address => ({ kind: 'unix', path: paths.schedulerMonitorSocket }),
  doc: 'Address of the gRPC API of scheduler-monitor.',
});

/** The function state. */
export const redisUrlField = url({
  env: 'JUNCTION_REDIS_URL',
  protocols: ['unix:', 'redis:', 'rediss:'],
  default: ({ paths }) => `unix:${paths.redisSocket}`,
  doc: 'Redis with the function state: unix:/path, redis://host:port or rediss://host:port.',
});

/** A fault when one of `addresses` is TCP and there is no token, or mTLS is configured by halves. */
export function checkRpcCredentials(
  config: {
    readonly rpcTokenFile: string | undefined;
    readonly rpcTlsCaFile: string | undefined;
    readonly rpcTlsCertFile: string | undefined;
    readonly rpcTlsKeyFile: string | undefined;
  },
  addresses: readonly Address[],
): string | undefined {
  if (addresses.some(({ kind }) => kind === 'tcp') && config.rpcTokenFile === undefined) {
    return 'JUNCTION_RPC_TOKEN_FILE is not set: gRPC on TCP needs a token';
  }
  const tls = [config.rpcTlsCaFile, config.rpcTlsCertFile, config.rpcTlsKeyFile];
  const given = tls.filter((file) => file !== undefined).length;
  if (given !== 0 && given !== tls.length) {
    return 'JUNCTION_RPC_TLS_CA_FILE, _CERT_FILE and _KEY_FILE must be set together';
  }
  return undefined;
}

/** The network of instances: junctiond gives them their addresses, the scheduler daemon connects them. */
export const networkFields = {
  network: choice({
    env: 'JUNCTION_JUNCTIOND_NETWORK',
    of: ['host', 'nic'],
    default: 'nic',
    doc: "nic: each instance has a NIC and addresses of its own; host: instances use the host's network.",
  }),
  instanceNetwork: text({
    env: 'JUNCTION_JUNCTIOND_INSTANCE_NETWORK',
    default: ({ paths }) => stackNetwork(paths.stack).range,
    shape: 'network as 10.62.0.0/16',
    doc: 'IPv4 addresses for instances; the first one is the host’s. 10.62.0.0/16 for the stack junction, for others one by their name.',
  }),
  instanceNetwork6: text({
    env: 'JUNCTION_JUNCTIOND_INSTANCE_NETWORK6',
    default: ({ paths }) => stackNetwork(paths.stack).range6,
    shape: 'network as fd12:3456:789a::/64',
    doc: 'IPv6 addresses for instances, a /64; the first one is the host’s. By the name of the stack unless set (RFC 4193).',
  }),
  instanceMtu: integer({
    env: 'JUNCTION_JUNCTIOND_INSTANCE_MTU',
    default: 1500,
    min: 1280, // RFC 8200, 5
    max: 65_521, // of a TAP: 65,535 with the Ethernet header
    doc: 'MTU in bytes between instances and the outside.',
  }),
};

/** The device of the scheduler daemon's uplink. */
export const uplinkDeviceField = text({
  env: 'JUNCTION_UPLINK_DEVICE',
  default: ({ paths }) => stackNetwork(paths.stack).device,
  pattern: deviceNamePattern,
  shape: '1 to 15 of a-z A-Z 0-9 - _',
  doc: 'TAP device through which instances reach the outside and the host reaches them; by the name of the stack unless set.',
});
