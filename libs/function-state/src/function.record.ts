// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { StateError } from './state.error.js';

/** Fields of `fn:<ns>:<name>`. */
export const FUNCTION_SCHEMA = 1;

/** The desired state of one function. */
export interface FunctionRecord {
  readonly namespace: string;
  readonly name: string;
  /** Exactly what the user sent. */
  readonly spec: functionV1.FunctionSpec;
  /** Which spec this is. Unique in the store: a function that is deleted and made again never sees an old one. */
  readonly generation: number;
  readonly wantedReplicas: number;
  /** Digest of the image that this generation runs, `sha256:…`; empty until it is known. */
  readonly imageDigest: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export function encodeSpec(spec: functionV1.FunctionSpec): string {
  return JSON.stringify(functionV1.FunctionSpec.toJSON(spec));
}

/** Reads the fields of a hash. Throws StateError `unreadable`. */
export function decodeFunction(namespace: string, name: string, fields: Record<string, string>): FunctionRecord {
  const unreadable = (why: string, cause?: unknown): StateError =>
    new StateError('unreadable', `the record of function ${name}.${namespace} cannot be read: ${why}`, { cause });
  if (fields['schema'] !== String(FUNCTION_SCHEMA)) {
    throw unreadable(`schema ${String(fields['schema'])}, known is ${String(FUNCTION_SCHEMA)}`);
  }
  const integer = (key: string): number => {
    const value = Number(fields[key]);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw unreadable(`${key} is ${String(fields[key])}`);
    }
    return value;
  };
  let spec: functionV1.FunctionSpec;
  try {
    spec = functionV1.FunctionSpec.fromJSON(JSON.parse(fields['spec'] ?? ''));
  } catch (error) {
    throw unreadable('its spec is no JSON', error);
  }
  return {
    namespace,
    name,
    spec,
    generation: integer('generation'),
    wantedReplicas: integer('wanted'),
    imageDigest: fields['imageDigest'] ?? '',
    createdAtMs: integer('createdAt'),
    updatedAtMs: integer('updatedAt'),
  };
}
