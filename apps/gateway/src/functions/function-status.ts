// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';

/** A function as the API shows it. Undefined fields are left out of the JSON. */
export interface FunctionStatus {
  readonly name: string;
  readonly image: string;
  readonly namespace: string;
  readonly envProcess: string | undefined;
  readonly envVars: Readonly<Record<string, string>> | undefined;
  readonly constraints: readonly string[] | undefined;
  readonly secrets: readonly string[] | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly limits: Readonly<Record<string, string>> | undefined;
  readonly requests: Readonly<Record<string, string>> | undefined;
  readonly readOnlyRootFilesystem: boolean | undefined;
  readonly invocationCount: number;
  readonly replicas: number;
  readonly availableReplicas: number;
  /** RFC 3339. */
  readonly createdAt: string | undefined;
  readonly usage: { readonly cpu: number; readonly totalMemoryBytes: number } | undefined;
  /** Why replicas are not available; ours on top of the contract. */
  readonly reason: string | undefined;
  /** How a replica ended last, or did not come up; also when all is well again. Ours, too. */
  readonly lastFailure: { readonly reason: string; readonly at: string; readonly instance: string } | undefined;
}

/** What the API says of a function. */
export function toFunctionStatus(fn: functionV1.FunctionMessage, invocationCount: number): FunctionStatus {
  const { spec, usage } = fn;
  if (spec === undefined) throw new Error('the provider answered a function without its specification');
  return {
    name: spec.name,
    image: spec.image,
    namespace: spec.namespace,
    envProcess: spec.envProcess,
    envVars: spec.envVars?.entries,
    constraints: spec.constraints?.items,
    secrets: spec.secrets?.items,
    labels: spec.labels?.entries,
    annotations: spec.annotations?.entries,
    limits: spec.limits?.quantities,
    requests: spec.requests?.quantities,
    readOnlyRootFilesystem: spec.readOnlyRootFilesystem,
    invocationCount,
    replicas: fn.replicas,
    availableReplicas: fn.availableReplicas,
    createdAt: fn.createdAt?.toISOString(),
    usage:
      usage === undefined ? undefined : { cpu: usage.cpuMillicores, totalMemoryBytes: Number(usage.totalMemoryBytes) },
    reason: fn.reason === '' ? undefined : fn.reason,
    lastFailure:
      fn.lastFailure === undefined
        ? undefined
        : {
            reason: fn.lastFailure.reason,
            at: fn.lastFailure.at?.toISOString() ?? '',
            instance: fn.lastFailure.instance,
          },
  };
}
