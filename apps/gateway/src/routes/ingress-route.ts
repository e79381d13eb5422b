// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import type { Route, RouteUpdate } from '@junctiond/native-binding';

/** An update from the provider as the ingress takes it. */
export function toIngressUpdate({ snapshot, version, upserts, removes }: functionV1.RouteUpdate): RouteUpdate {
  return { snapshot, version, upserts: upserts.map(toIngressRoute), removes };
}

function toIngressRoute(route: functionV1.Route): Route {
  return {
    functionName: route.functionName,
    timeoutMs: route.timeoutMs,
    maxInflight: route.maxInflight,
    startsFromZero: route.startsFromZero,
    failure: route.failure,
    replicas: route.replicas.map(({ id, host, port, draining, linkPath, instanceNumber }) => ({
      id,
      host,
      port,
      state: draining ? 'draining' : 'ready',
      ...(linkPath === '' ? {} : { linkPath, instanceNumber }),
    })),
  };
}
