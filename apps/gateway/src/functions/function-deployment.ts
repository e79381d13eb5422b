// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import { z } from 'zod';
import { defaultNamespace } from './function-name.js';

// Go clients send null for an empty map or list; it means absent.
const absentOr = <S extends z.ZodType>(schema: S) => schema.nullish().transform((value) => value ?? undefined);

const nonEmpty = z.string().min(1, 'must not be empty');
const texts = absentOr(z.array(z.string()));
const textMap = absentOr(z.record(z.string(), z.string()));

/**
 * The shape of a FunctionDeployment. What its values may be (names, quantities, secrets, images) is the provider's to
 * say. Unknown fields are ignored, as by the systems before this one.
 */
export const functionDeployment = z.object({
  service: nonEmpty,
  image: nonEmpty,
  namespace: absentOr(z.string()),
  envProcess: absentOr(z.string()),
  envVars: textMap,
  constraints: texts,
  secrets: texts,
  labels: textMap,
  annotations: textMap,
  limits: textMap,
  requests: textMap,
  readOnlyRootFilesystem: absentOr(z.boolean()),
});

/** A FunctionDeployment as it was sent. */
export type FunctionDeployment = z.output<typeof functionDeployment>;

/** The specification for the provider; what was absent stays absent. */
export function toFunctionSpec(deployment: FunctionDeployment): functionV1.FunctionSpec {
  const { service, image, namespace } = deployment;
  const map = (entries: Record<string, string> | undefined) => (entries === undefined ? undefined : { entries });
  const list = (items: string[] | undefined) => (items === undefined ? undefined : { items });
  const resources = (quantities: Record<string, string> | undefined) =>
    quantities === undefined ? undefined : { quantities };
  return {
    name: service,
    namespace: namespace === undefined || namespace === '' ? defaultNamespace : namespace,
    image,
    envProcess: deployment.envProcess,
    envVars: map(deployment.envVars),
    constraints: list(deployment.constraints),
    secrets: list(deployment.secrets),
    labels: map(deployment.labels),
    annotations: map(deployment.annotations),
    limits: resources(deployment.limits),
    requests: resources(deployment.requests),
    readOnlyRootFilesystem: deployment.readOnlyRootFilesystem,
  };
}
