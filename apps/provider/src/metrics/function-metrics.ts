// SPDX-License-Identifier: Apache-2.0
import type { MetricSource } from '@junctiond/telemetry';
import { routeName } from '../domain/function-key.js';
import type { Reconciler } from '../reconcile/reconciler.js';
import type { GatewayRegistry } from '../routes/gateway-registry.js';
import type { FunctionCatalog } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';
import type { InstanceWatch } from '../instances/instance-watch.js';

/** What the provider looks after, for dashboards and alerts. */
export function functionMetrics(parts: {
  catalog: FunctionCatalog;
  reconciler: Reconciler;
  gateways: GatewayRegistry;
  state: StateKeeper;
  watch: InstanceWatch;
}): MetricSource {
  const { catalog, reconciler, gateways, state, watch } = parts;
  return () => {
    const functions = catalog.list().map(({ record }) => ({
      labels: { function_name: routeName(record) },
      wanted: record.wantedReplicas,
      ready: reconciler.statusOf(record).available,
    }));
    return [
      {
        kind: 'gauge',
        name: 'provider_function_replicas_wanted',
        help: 'Replicas that a function should have.',
        samples: functions.map(({ labels, wanted }) => ({ labels, value: wanted })),
      },
      {
        kind: 'gauge',
        name: 'provider_function_replicas_ready',
        help: 'Replicas that serve a function.',
        samples: functions.map(({ labels, ready }) => ({ labels, value: ready })),
      },
      {
        kind: 'gauge',
        name: 'provider_gateways_connected',
        help: 'Gateways that follow the routes.',
        samples: [{ labels: {}, value: gateways.connected().length }],
      },
      {
        kind: 'gauge',
        name: 'provider_state_writable',
        help: '1 while this provider holds the lease and Redis is there.',
        samples: [{ labels: {}, value: state.canWrite ? 1 : 0 }],
      },
      {
        kind: 'gauge',
        name: 'provider_junctiond_connected',
        help: '1 while the instances of junctiond are followed.',
        samples: [{ labels: {}, value: watch.isConnected ? 1 : 0 }],
      },
    ];
  };
}
