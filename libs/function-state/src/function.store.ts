// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import type { Fence } from './fence.js';
import { decodeFunction, encodeSpec, FUNCTION_SCHEMA, type FunctionRecord } from './function.record.js';
import { FENCE, luaScript } from './lua-script.js';
import { throwUnlessOk } from './script-status.js';
import type { StateError } from './state.error.js';
import type { StateConnection } from './state-connection.js';
import type { StateKeys } from './state-keys.js';

/** KEYS: lease, namespaces, functions:<ns>, fn, counter. ARGV: epoch, ns, name, spec, schema, now, digest, wanted. */
const CREATE = luaScript(`${FENCE}
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'namespace-missing'} end
if redis.call('EXISTS', KEYS[4]) == 1 then return {'already-exists'} end
redis.call('HSET', KEYS[4], 'schema', ARGV[5], 'spec', ARGV[4], 'generation', redis.call('INCR', KEYS[5]),
  'imageDigest', ARGV[7], 'wanted', ARGV[8], 'createdAt', ARGV[6], 'updatedAt', ARGV[6])
redis.call('SADD', KEYS[3], ARGV[3])
return {'ok', unpack(redis.call('HGETALL', KEYS[4]))}
`);

/** KEYS: lease, fn, counter. ARGV: epoch, spec, schema, now, digest, least wanted, most wanted. */
const UPDATE = luaScript(`${FENCE}
if redis.call('EXISTS', KEYS[2]) == 0 then return {'not-found'} end
local wanted = tonumber(redis.call('HGET', KEYS[2], 'wanted')) or 0
wanted = math.max(tonumber(ARGV[6]), math.min(tonumber(ARGV[7]), wanted))
redis.call('HSET', KEYS[2], 'schema', ARGV[3], 'spec', ARGV[2], 'generation', redis.call('INCR', KEYS[3]),
  'imageDigest', ARGV[5], 'wanted', wanted, 'updatedAt', ARGV[4])
return {'ok', unpack(redis.call('HGETALL', KEYS[2]))}
`);

/** KEYS: lease, fn. ARGV: epoch, least, most: the wanted number is moved into this range. */
const SCALE = luaScript(`${FENCE}
if redis.call('EXISTS', KEYS[2]) == 0 then return {'not-found'} end
local before = tonumber(redis.call('HGET', KEYS[2], 'wanted')) or 0
local wanted = math.max(tonumber(ARGV[2]), math.min(tonumber(ARGV[3]), before))
if wanted ~= before then redis.call('HSET', KEYS[2], 'wanted', wanted) end
return {'ok', unpack(redis.call('HGETALL', KEYS[2]))}
`);

/** KEYS: lease, fn. ARGV: epoch, generation, digest. A newer generation has an image of its own. */
const SET_IMAGE_DIGEST = luaScript(`${FENCE}
if redis.call('HGET', KEYS[2], 'generation') ~= ARGV[2] then return {'not-found'} end
redis.call('HSET', KEYS[2], 'imageDigest', ARGV[3])
return {'ok', unpack(redis.call('HGETALL', KEYS[2]))}
`);

/** KEYS: lease, functions:<ns>, fn, replicas. ARGV: epoch, name. */
const DELETE = luaScript(`${FENCE}
if redis.call('DEL', KEYS[3]) == 0 then return {'not-found'} end
redis.call('DEL', KEYS[4])
redis.call('SREM', KEYS[2], ARGV[2])
return {'ok'}
`);

const LIST_CHUNK = 256;

export interface FunctionList {
  readonly functions: readonly FunctionRecord[];
  /** Records that are there but cannot be read: their replicas must be left alone. */
  readonly unreadable: readonly { namespace: string; name: string; error: StateError }[];
}

/** What a deployment sets beside the spec. */
export interface DeploymentFacts {
  /** Of the spec's image; empty where it could not be found out yet. */
  readonly imageDigest: string;
  readonly nowMs: number;
}

/** A range that the wanted number of replicas is kept in. */
export interface ReplicaRange {
  readonly least: number;
  readonly most: number;
}

/** The desired state of all functions. Every method throws StateError `unavailable`, every change also `fenced`. */
export class FunctionStore {
  readonly #connection: StateConnection;
  readonly #keys: StateKeys;
  readonly #fence: Fence;

  constructor(connection: StateConnection, keys: StateKeys, fence: Fence) {
    this.#connection = connection;
    this.#keys = keys;
    this.#fence = fence;
  }

  /** Throws `already-exists`, `namespace-missing`. */
  async create(spec: functionV1.FunctionSpec, wantedReplicas: number, facts: DeploymentFacts): Promise<FunctionRecord> {
    const { namespace, name } = spec;
    const keys = this.#keys;
    return this.#change(
      namespace,
      name,
      CREATE,
      [keys.lease, keys.namespaces, keys.functions(namespace), keys.fn(namespace, name), keys.counter],
      [namespace, name, encodeSpec(spec), FUNCTION_SCHEMA, facts.nowMs, facts.imageDigest, wantedReplicas],
    );
  }

  /** Replaces the spec under a new generation; the wanted number moves into `wanted`. Throws `not-found`. */
  async update(spec: functionV1.FunctionSpec, wanted: ReplicaRange, facts: DeploymentFacts): Promise<FunctionRecord> {
    const { namespace, name } = spec;
    return this.#change(
      namespace,
      name,
      UPDATE,
      [this.#keys.lease, this.#keys.fn(namespace, name), this.#keys.counter],
      [encodeSpec(spec), FUNCTION_SCHEMA, facts.nowMs, facts.imageDigest, wanted.least, wanted.most],
    );
  }

  /** Moves the wanted number into the range; `{ least: n, most: n }` sets it. Throws `not-found`. */
  async scale(namespace: string, name: string, wanted: ReplicaRange): Promise<FunctionRecord> {
    return this.#change(
      namespace,
      name,
      SCALE,
      [this.#keys.lease, this.#keys.fn(namespace, name)],
      [wanted.least, wanted.most],
    );
  }

  /** Records which image a generation runs. Throws `not-found` where the function has another generation by now. */
  async setImageDigest(
    namespace: string,
    name: string,
    generation: number,
    imageDigest: string,
  ): Promise<FunctionRecord> {
    return this.#change(
      namespace,
      name,
      SET_IMAGE_DIGEST,
      [this.#keys.lease, this.#keys.fn(namespace, name)],
      [generation, imageDigest],
    );
  }

  /** Removes the function and the record of its replicas. Throws `not-found`. */
  async delete(namespace: string, name: string): Promise<void> {
    const keys = this.#keys;
    await this.#fields(
      namespace,
      name,
      DELETE,
      [keys.lease, keys.functions(namespace), keys.fn(namespace, name), keys.replicas(namespace, name)],
      [name],
    );
  }

  /** Undefined: no such function. Throws `unreadable`. */
  async get(namespace: string, name: string): Promise<FunctionRecord | undefined> {
    const fields = await this.#connection.run((redis) => redis.hgetall(this.#keys.fn(namespace, name)));
    return Object.keys(fields).length === 0 ? undefined : decodeFunction(namespace, name, fields);
  }

  /** Everything in the given namespaces. */
  async list(namespaces: readonly string[]): Promise<FunctionList> {
    const functions: FunctionRecord[] = [];
    const unreadable: { namespace: string; name: string; error: StateError }[] = [];
    for (const namespace of namespaces) {
      const names = await this.#connection.run((redis) => redis.smembers(this.#keys.functions(namespace)));
      for (let start = 0; start < names.length; start += LIST_CHUNK) {
        const chunk = names.slice(start, start + LIST_CHUNK);
        const records = await this.#connection.run((redis) =>
          Promise.all(chunk.map((name) => redis.hgetall(this.#keys.fn(namespace, name)))),
        );
        for (const [index, name] of chunk.entries()) {
          try {
            functions.push(decodeFunction(namespace, name, records[index] ?? {}));
          } catch (error) {
            unreadable.push({ namespace, name, error: error as StateError });
          }
        }
      }
    }
    return { functions, unreadable };
  }

  async #change(
    namespace: string,
    name: string,
    script: ReturnType<typeof luaScript>,
    keys: string[],
    args: (string | number)[],
  ): Promise<FunctionRecord> {
    return decodeFunction(namespace, name, await this.#fields(namespace, name, script, keys, args));
  }

  async #fields(
    namespace: string,
    name: string,
    script: ReturnType<typeof luaScript>,
    keys: string[],
    args: (string | number)[],
  ): Promise<Record<string, string>> {
    const [status, ...reply] = await this.#connection.script(script, keys, [this.#fence.require(), ...args]);
    throwUnlessOk(status, `function ${name}`, namespace);
    return pairs(reply);
  }
}

/** Fields and values in turn, as HGETALL answers to a script. */
function pairs(flat: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (const [index, field] of flat.entries()) {
    if (index % 2 === 0) {
      record[field] = flat[index + 1] ?? '';
    }
  }
  return record;
}
