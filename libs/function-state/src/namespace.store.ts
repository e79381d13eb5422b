// SPDX-License-Identifier: Apache-2.0
import type { Fence } from './fence.js';
import { FENCE, luaScript } from './lua-script.js';
import { throwUnlessOk } from './script-status.js';
import { StateError } from './state.error.js';
import type { StateConnection } from './state-connection.js';
import type { StateKeys } from './state-keys.js';

/** Values of `namespaces`. */
export const NAMESPACE_SCHEMA = 1;

/** KEYS: lease, namespaces. ARGV: epoch, name, record. */
const CREATE = luaScript(`${FENCE}
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 then return {'already-exists'} end
return {'ok'}
`);

/** KEYS: lease, namespaces. ARGV: epoch, name, record. */
const UPDATE = luaScript(`${FENCE}
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'not-found'} end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return {'ok'}
`);

/** KEYS: lease, namespaces, functions:<ns>, secrets:<ns>. ARGV: epoch, name. */
const DELETE = luaScript(`${FENCE}
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'not-found'} end
local functions, secrets = redis.call('SCARD', KEYS[3]), redis.call('HLEN', KEYS[4])
if functions + secrets > 0 then return {'not-empty', functions, secrets} end
redis.call('HDEL', KEYS[2], ARGV[2])
return {'ok'}
`);

export interface NamespaceRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** All namespaces. Every method throws StateError `unavailable`, every change also `fenced`. */
export class NamespaceStore {
  readonly #connection: StateConnection;
  readonly #keys: StateKeys;
  readonly #fence: Fence;

  constructor(connection: StateConnection, keys: StateKeys, fence: Fence) {
    this.#connection = connection;
    this.#keys = keys;
    this.#fence = fence;
  }

  /** Throws `already-exists`. */
  async create(record: NamespaceRecord): Promise<void> {
    await this.#change(record.name, CREATE, [this.#keys.lease, this.#keys.namespaces], [encode(record)]);
  }

  /** Replaces labels and annotations. Throws `not-found`. */
  async update(record: NamespaceRecord): Promise<void> {
    await this.#change(record.name, UPDATE, [this.#keys.lease, this.#keys.namespaces], [encode(record)]);
  }

  /** Throws `not-found`, and `not-empty` while it has functions or secrets. */
  async delete(name: string): Promise<void> {
    const keys = this.#keys;
    await this.#change(name, DELETE, [keys.lease, keys.namespaces, keys.functions(name), keys.secrets(name)], []);
  }

  /** Undefined: no such namespace. Throws `unreadable`. */
  async get(name: string): Promise<NamespaceRecord | undefined> {
    const text = await this.#connection.run((redis) => redis.hget(this.#keys.namespaces, name));
    return typeof text === 'string' ? decode(name, text) : undefined;
  }

  /** Sorted by name. Throws `unreadable`. */
  async list(): Promise<readonly NamespaceRecord[]> {
    const fields = await this.#connection.run((redis) => redis.hgetall(this.#keys.namespaces));
    return Object.entries(fields)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, text]) => decode(name, text));
  }

  async #change(name: string, script: ReturnType<typeof luaScript>, keys: string[], args: string[]): Promise<void> {
    const [status, functions, secrets] = await this.#connection.script(script, keys, [
      this.#fence.require(),
      name,
      ...args,
    ]);
    if (status === 'not-empty') {
      throw new StateError(
        'not-empty',
        `namespace ${name} still has ${counted(functions, 'function')} and ${counted(secrets, 'secret')}`,
      );
    }
    throwUnlessOk(status, `namespace ${name}`);
  }
}

function counted(count: unknown, noun: string): string {
  return `${String(count)} ${noun}${Number(count) === 1 ? '' : 's'}`;
}

function encode(record: NamespaceRecord): string {
  return JSON.stringify({ schema: NAMESPACE_SCHEMA, labels: record.labels, annotations: record.annotations });
}

function decode(name: string, text: string): NamespaceRecord {
  try {
    const { schema, labels, annotations } = JSON.parse(text) as Record<string, unknown>;
    if (schema === NAMESPACE_SCHEMA && isStringRecord(labels) && isStringRecord(annotations)) {
      return { name, labels, annotations };
    }
  } catch (error) {
    throw new StateError('unreadable', `the record of namespace ${name} is no JSON`, { cause: error });
  }
  throw new StateError('unreadable', `the record of namespace ${name} cannot be read`);
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}
