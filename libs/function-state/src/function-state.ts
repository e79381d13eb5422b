// SPDX-License-Identifier: Apache-2.0
import { Fence } from './fence.js';
import { FunctionStore } from './function.store.js';
import { LeaseStore } from './lease.store.js';
import { MetaStore } from './meta.store.js';
import { NamespaceStore } from './namespace.store.js';
import { ReplicaStore } from './replica.store.js';
import type { SecretSealer } from './secret-sealer.js';
import { SecretStore } from './secret.store.js';
import type { StateConnection } from './state-connection.js';
import { StateKeys } from './state-keys.js';

/** All stores of one stack on one connection and under one fence. */
export class FunctionState {
  readonly connection: StateConnection;
  readonly fence = new Fence();
  readonly lease: LeaseStore;
  readonly meta: MetaStore;
  readonly namespaces: NamespaceStore;
  readonly functions: FunctionStore;
  readonly replicas: ReplicaStore;
  readonly secrets: SecretStore;

  constructor(connection: StateConnection, stack: string, sealer: SecretSealer) {
    const keys = new StateKeys(stack);
    this.connection = connection;
    this.lease = new LeaseStore(connection, keys);
    this.meta = new MetaStore(connection, keys);
    this.namespaces = new NamespaceStore(connection, keys, this.fence);
    this.functions = new FunctionStore(connection, keys, this.fence);
    this.replicas = new ReplicaStore(connection, keys, this.fence);
    this.secrets = new SecretStore(connection, keys, this.fence, sealer);
  }
}
