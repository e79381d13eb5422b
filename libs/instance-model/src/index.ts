// SPDX-License-Identifier: Apache-2.0
export { addressAt, type AddressRange, macOf, parseAddressRange } from './address-range.js';
export { address6At, type AddressRange6, parseAddressRange6 } from './address-range6.js';
export { IndexPool } from './index-pool.js';
export {
  describeExit,
  type Instance,
  type InstanceExit,
  type InstanceFailure,
  type InstanceNetwork,
  type InstancePort,
} from './instance.js';
export {
  INSTANCE_ID,
  secretFaults,
  type SpecFault,
  uprocFaults,
  validateInstanceRequest,
} from './instance-request.validation.js';
export {
  clampCoreLimit,
  cpuQuotaMillicores,
  DEFAULT_SERVICE_PORT,
  type InstanceLimits,
  type InstanceRequest,
  type InstanceSpec,
  NODE_HOST,
  type UprocRequest,
  queuePairsOf,
  resolveInstanceSpec,
  type RestartPolicy,
} from './instance-spec.js';
export {
  hasProcess,
  INSTANCE_EVENTS,
  INSTANCE_STATES,
  INSTANCE_TRANSITIONS,
  type InstanceEvent,
  type InstanceState,
  nextInstanceState,
} from './instance-state.js';
export { type JunctionConfig, renderJunctionConfig } from './junction-config.js';
export {
  MAX_NETWORK_RULES,
  type NetworkRule,
  parseNetwork,
  parseNetworkRule,
  parseNetworkRules,
} from './network-rule.js';
export {
  parseCpuMillicores,
  parseMemoryBytes,
  parseQuantity,
  type Quantity,
  quantityMillis,
  quantityUnits,
} from './quantity.js';
export { countFailure, restartDelayMs, type RestartBackoffSettings } from './restart-backoff.js';
export { fail, ok, type Result } from './result.js';
