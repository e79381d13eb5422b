// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import type { FunctionPlan } from './function-plan.js';
import { type FunctionKey, routeName } from './function-key.js';
import type { FunctionSettings } from './function-settings.js';
import type { Replica } from './replica.js';

/** What gateways need to serve a function. */
export function routeOf(
  key: FunctionKey,
  settings: FunctionSettings,
  wantedReplicas: number,
  plan: FunctionPlan,
  replicas: readonly Replica[],
): functionV1.Route {
  const reachable = (ids: readonly string[], draining: boolean): functionV1.RouteReplica[] =>
    replicas
      .filter(({ id }) => ids.includes(id))
      .flatMap(({ id, endpoint }) => (endpoint === undefined ? [] : [{ id, ...endpoint, draining }]))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    functionName: routeName(key),
    replicas: [...reachable(plan.serving, false), ...reachable(plan.draining, true)],
    timeoutMs: settings.timeoutMs,
    maxInflight: settings.maxInflight,
    // Zero replicas are a state like any other: every function may be asked for its first one.
    startsFromZero: true,
    wantedReplicas,
    failure: plan.failure,
    scaleMin: settings.scaleMin,
    scaleTarget: settings.scaleTarget,
  };
}

/** Whether gateways would see a difference. */
export function isSameRoute(a: functionV1.Route, b: functionV1.Route): boolean {
  const { replicas: replicasOfA, ...restOfA } = a;
  const { replicas: replicasOfB, ...restOfB } = b;
  return (
    isSameFlat(restOfA, restOfB) &&
    replicasOfA.length === replicasOfB.length &&
    replicasOfA.every((replica, index) => {
      const other = replicasOfB[index];
      return other !== undefined && isSameFlat(replica, other);
    })
  );
}

function isSameFlat<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((field) => a[field] === b[field]);
}
