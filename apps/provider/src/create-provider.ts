// SPDX-License-Identifier: Apache-2.0
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { instanceV1 } from '@junctiond/contracts';
import { FunctionState, SecretSealer, StateConnection } from '@junctiond/function-state';
import { createClient, readRpcCredentials } from '@junctiond/rpc';
import type { Logger } from '@junctiond/telemetry';
import type { ProviderConfig } from './config.js';
import { routeName } from './domain/function-key.js';
import { FunctionReader } from './functions/function-reader.js';
import { FunctionService } from './functions/function.service.js';
import { ImageCheck } from './functions/image-check.js';
import { InstanceCache } from './instances/instance-cache.js';
import { InstanceWatch } from './instances/instance-watch.js';
import { JunctiondClient } from './instances/junctiond.client.js';
import { LogReader } from './logs/log-reader.js';
import { NamespaceService } from './namespaces/namespace.service.js';
import { type Clock, systemClock } from './platform/clock.js';
import { ImageResolver } from './reconcile/image-resolver.js';
import { Reconciler } from './reconcile/reconciler.js';
import { ReplicaStarter } from './reconcile/replica-starter.js';
import { GatewayRegistry } from './routes/gateway-registry.js';
import { RouteTable } from './routes/route-table.js';
import { SecretService } from './secrets/secret.service.js';
import { FunctionCatalog } from './state/function-catalog.js';
import { LeaseKeeper } from './state/lease-keeper.js';
import { isKnownDead, ownIdentity } from './state/process-identity.js';
import { ReplicaRecorder } from './state/replica-recorder.js';
import { loadSealingKey } from './state/sealing-key.js';
import { StateKeeper } from './state/state-keeper.js';

/** The whole provider behind its API. */
export interface Provider {
  readonly state: StateKeeper;
  readonly catalog: FunctionCatalog;
  readonly watch: InstanceWatch;
  readonly reconciler: Reconciler;
  readonly routes: RouteTable;
  readonly gateways: GatewayRegistry;
  readonly functions: FunctionService;
  readonly reader: FunctionReader;
  readonly secrets: SecretService;
  readonly namespaces: NamespaceService;
  readonly logs: LogReader;
  /** Connects to Redis and junctiond; returns at once, both may come later. */
  start(): void;
  /** Lets go of the lease and all connections; instances are left as they are. */
  stop(): Promise<void>;
}

/** Puts the parts together; nothing is connected before `start`. Throws where a file of the configuration is bad. */
export function createProvider(config: ProviderConfig, log: Logger, clock: Clock = systemClock): Provider {
  const connection = StateConnection.open({
    url: config.redisUrl,
    ...(config.redisPasswordFile === undefined
      ? {}
      : { password: readFileSync(config.redisPasswordFile, 'utf8').replace(/\r?\n$/, '') }),
  });
  const sealer = new SecretSealer(loadSealingKey(config.secretsKeyFile));
  const functionState = new FunctionState(connection, config.paths.stack, sealer);
  const owner = ownIdentity();
  const lease = new LeaseKeeper(functionState, {
    owner,
    ttlMs: config.leaseMs,
    isKnownDead: (other) => isKnownDead(other, owner),
    clock,
  });
  const catalog = new FunctionCatalog();
  const state = new StateKeeper(functionState, lease, catalog, clock, log);

  const credentials = readRpcCredentials(config);
  const clientOptions = { credentials, deadlineMs: 5_000 };
  const junctiond = new JunctiondClient(
    createClient(instanceV1.InstanceServiceService, config.junctiondAddress, clientOptions),
    createClient(instanceV1.ImageServiceService, config.junctiondAddress, clientOptions),
  );
  const instances = new InstanceCache();
  const watch = new InstanceWatch(
    junctiond,
    instances,
    (replica) => catalog.find(routeName(replica.function))?.settings.readyPath ?? '',
    log,
  );

  const routes = new RouteTable();
  const gateways = new GatewayRegistry(config.gatewayAbsenceMs, clock);
  const reconciler = new Reconciler(
    {
      node: hostname(),
      catalog,
      instances,
      routes,
      gateways,
      recorder: new ReplicaRecorder(state, log),
      junctiond,
      starter: new ReplicaStarter(junctiond, state, {
        gatewayHost: config.gatewayHost,
        startsAtOnce: config.startsAtOnce,
        random: (bound) => randomInt(bound),
      }),
      images: new ImageResolver(junctiond, state, catalog, config.imagePullMs),
      clock,
      backoff: { firstDelayMs: config.retryFirstMs, maxDelayMs: config.retryMaxMs },
      log,
    },
    state,
    watch,
    { resyncMs: config.resyncMs, junctiondAbsenceMs: config.junctiondAbsenceMs },
  );

  return {
    state,
    catalog,
    watch,
    reconciler,
    routes,
    gateways,
    functions: new FunctionService(state, catalog, reconciler, new ImageCheck(junctiond, config.imageCheckMs), clock),
    reader: new FunctionReader(state, catalog, reconciler, junctiond, log),
    secrets: new SecretService(state, catalog),
    namespaces: new NamespaceService(state, catalog),
    logs: new LogReader(junctiond, instances, catalog),
    start: () => {
      reconciler.start();
      state.start();
      watch.start();
    },
    stop: async () => {
      reconciler.stop();
      await watch.stop();
      await state.stop();
      junctiond.close();
    },
  };
}
