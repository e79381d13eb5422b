// SPDX-License-Identifier: Apache-2.0
export { Fence } from './fence.js';
export { FunctionState } from './function-state.js';
export type { FunctionRecord } from './function.record.js';
export type { DeploymentFacts, FunctionList, FunctionStore, ReplicaRange } from './function.store.js';
export type { LeaseAttempt, LeaseOwner, LeaseStore } from './lease.store.js';
export type { MetaStore } from './meta.store.js';
export type { NamespaceRecord, NamespaceStore } from './namespace.store.js';
export type { ReplicaRecord } from './replica.record.js';
export type { ReplicaStore } from './replica.store.js';
export { SEALING_KEY_BYTES, SecretSealer } from './secret-sealer.js';
export type { SecretRecord, SecretStore } from './secret.store.js';
export { StateError, type StateErrorCode } from './state.error.js';
export { StateConnection, type StateConnectionOptions } from './state-connection.js';
