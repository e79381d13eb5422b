// SPDX-License-Identifier: Apache-2.0
import type { Fence } from './fence.js';
import { FENCE, luaScript } from './lua-script.js';
import { throwUnlessOk } from './script-status.js';
import type { SecretSealer } from './secret-sealer.js';
import { StateError } from './state.error.js';
import type { StateConnection } from './state-connection.js';
import type { StateKeys } from './state-keys.js';

/** Values of `secrets:<ns>`: `<schema> <revision> <sealed>`. */
export const SECRET_SCHEMA = 1;

/** KEYS: lease, namespaces, secrets:<ns>, counter. ARGV: epoch, ns, name, schema, sealed. */
const CREATE = luaScript(`${FENCE}
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'namespace-missing'} end
if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 1 then return {'already-exists'} end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4] .. ' ' .. redis.call('INCR', KEYS[4]) .. ' ' .. ARGV[5])
return {'ok'}
`);

/** KEYS: lease, secrets:<ns>, counter. ARGV: epoch, name, schema, sealed. */
const UPDATE = luaScript(`${FENCE}
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'not-found'} end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. redis.call('INCR', KEYS[3]) .. ' ' .. ARGV[4])
return {'ok'}
`);

/** KEYS: lease, secrets:<ns>. ARGV: epoch, name. */
const DELETE = luaScript(`${FENCE}
if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return {'not-found'} end
return {'ok'}
`);

export interface SecretRecord {
  readonly name: string;
  /** Grows with each change of a value; never comes twice for one name. */
  readonly revision: number;
  readonly value: Buffer;
}

/** The secrets of all namespaces, sealed. Every method throws StateError `unavailable`, every change also `fenced`. */
export class SecretStore {
  readonly #connection: StateConnection;
  readonly #keys: StateKeys;
  readonly #fence: Fence;
  readonly #sealer: SecretSealer;

  constructor(connection: StateConnection, keys: StateKeys, fence: Fence, sealer: SecretSealer) {
    this.#connection = connection;
    this.#keys = keys;
    this.#fence = fence;
    this.#sealer = sealer;
  }

  /** Throws `already-exists`, `namespace-missing`. */
  async create(namespace: string, name: string, value: Uint8Array): Promise<void> {
    await this.#change(
      namespace,
      name,
      CREATE,
      [this.#keys.lease, this.#keys.namespaces, this.#keys.secrets(namespace), this.#keys.counter],
      [namespace, name, SECRET_SCHEMA, this.#sealer.seal(place(namespace, name), value)],
    );
  }

  /** Throws `not-found`. */
  async update(namespace: string, name: string, value: Uint8Array): Promise<void> {
    await this.#change(
      namespace,
      name,
      UPDATE,
      [this.#keys.lease, this.#keys.secrets(namespace), this.#keys.counter],
      [name, SECRET_SCHEMA, this.#sealer.seal(place(namespace, name), value)],
    );
  }

  /** Throws `not-found`. */
  async delete(namespace: string, name: string): Promise<void> {
    await this.#change(namespace, name, DELETE, [this.#keys.lease, this.#keys.secrets(namespace)], [name]);
  }

  /** Names in order; no values leave Redis. */
  async names(namespace: string): Promise<readonly string[]> {
    const names = await this.#connection.run((redis) => redis.hkeys(this.#keys.secrets(namespace)));
    return names.sort();
  }

  /** Name to revision of all secrets of a namespace; no value is opened. Throws `unreadable`. */
  async revisions(namespace: string): Promise<ReadonlyMap<string, number>> {
    const fields = await this.#connection.run((redis) => redis.hgetall(this.#keys.secrets(namespace)));
    return new Map(Object.entries(fields).map(([name, text]) => [name, split(namespace, name, text).revision]));
  }

  /** The named secrets that exist, in the order asked for. Throws `unreadable`. */
  async read(namespace: string, names: readonly string[]): Promise<readonly SecretRecord[]> {
    if (names.length === 0) {
      return [];
    }
    const values = await this.#connection.run((redis) => redis.hmget(this.#keys.secrets(namespace), ...names));
    return names.flatMap((name, index) => {
      const text = values[index];
      return typeof text === 'string' ? [this.#decode(namespace, name, text)] : [];
    });
  }

  #decode(namespace: string, name: string, text: string): SecretRecord {
    const { revision, sealed } = split(namespace, name, text);
    return { name, revision, value: this.#sealer.open(place(namespace, name), sealed) };
  }

  async #change(
    namespace: string,
    name: string,
    script: ReturnType<typeof luaScript>,
    keys: string[],
    args: (string | number)[],
  ): Promise<void> {
    const [status] = await this.#connection.script(script, keys, [this.#fence.require(), ...args]);
    throwUnlessOk(status, `secret ${name}`, namespace);
  }
}

function split(namespace: string, name: string, text: string): { revision: number; sealed: string } {
  const [schema, revision, sealed] = text.split(' ');
  if (schema !== String(SECRET_SCHEMA) || sealed === undefined) {
    throw new StateError('unreadable', `the secret ${place(namespace, name)} has schema ${String(schema)}`);
  }
  return { revision: Number(revision), sealed };
}

function place(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
