// SPDX-License-Identifier: Apache-2.0
export { useAddon } from './addon.js';
export { ControlBlock, type InstancePort, type InstanceSnapshot } from './control-block.js';
export { EventQueue, type NicEvent } from './event-queue.js';
export { Ingress } from './ingress.js';
export { INGRESS_DEFAULTS } from './ingress-options.js';
export type * from './ingress.types.js';
export { NativeError, type NativeErrorCode } from './native-error.js';
export {
  NicPort,
  type Frame,
  type FrameMeta,
  type NicCounters,
  type NicPortInfo,
  type NicPortKind,
  type RingCounters,
} from './nic-port.js';
export { ProcessHandle, waitPidfd, type ProcessExit, type SpawnOptions } from './process-handle.js';
