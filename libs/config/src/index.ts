// SPDX-License-Identifier: Apache-2.0
export { formatAddress, parseAddress, type Address } from './address.js';
export { readBuildInfo, type BuildInfo } from './build-info.js';
export { formatBytes, parseBytes } from './bytes.js';
export { ConfigError } from './config-error.js';
export { describeConfig, describeCommon, exampleEnvironment } from './describe.js';
export { formatDuration, parseDuration } from './duration.js';
export type { Default, Field, Parsed, StackPlaces, ValueOf } from './field.js';
export {
  address,
  bytes,
  choice,
  duration,
  flag,
  integer,
  list,
  optional,
  path,
  port,
  secret,
  text,
  url,
  type FieldOptions,
} from './fields.js';
export {
  defineConfig,
  loadConfig,
  type ConfigOf,
  type ConfigOfFields,
  type ConfigSchema,
  type Environment,
  type Fields,
} from './schema.js';
export { Secret } from './secret.js';
export {
  checkRpcCredentials,
  junctiondAddressField,
  networkFields,
  providerAddressField,
  redisUrlField,
  rpcFields,
  schedulerMonitorAddressField,
  telemetryFields,
  uplinkDeviceField,
} from './shared-fields.js';
export { addressValue } from './ip-address.js';
export { stackNetwork, type StackNetwork } from './stack-network.js';
export { stackNamePattern, stackPaths, type StackPaths } from './stack-paths.js';
export { stackPorts, type StackPorts } from './stack-ports.js';
