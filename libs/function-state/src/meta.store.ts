// SPDX-License-Identifier: Apache-2.0
import { luaScript } from './lua-script.js';
import { StateError } from './state.error.js';
import type { StateConnection } from './state-connection.js';
import type { StateKeys } from './state-keys.js';

/** Layout of the keys as a whole. Grows when a layout can't be read by older providers. */
export const STORE_SCHEMA = 1;

const OPEN = luaScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'storeId', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'schema', 'storeId')
`);

const NEXT_BASE = luaScript(`return {redis.call('INCR', KEYS[1])}`);

/** What is known of the store itself. */
export class MetaStore {
  readonly #connection: StateConnection;
  readonly #keys: StateKeys;

  constructor(connection: StateConnection, keys: StateKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /**
   * Answers the store's id; an empty store gets `newId`. Another id than before means that the store has lost its data
   * or is another one. Throws StateError `unavailable`; `unreadable` where a newer provider has written it.
   */
  async open(newId: string): Promise<string> {
    const [schema, storeId] = await this.#connection.script(OPEN, [this.#keys.meta], [STORE_SCHEMA, newId]);
    if (schema !== String(STORE_SCHEMA) || storeId === undefined) {
      throw new StateError(
        'unreadable',
        `the state store has schema ${String(schema)}, this provider reads schema ${String(STORE_SCHEMA)}`,
      );
    }
    return storeId;
  }

  /**
   * The first route version of a provider's life. Each life gets 2^32 versions of its own, so that versions grow over
   * restarts without a write for each route change. Throws StateError `unavailable`.
   */
  async nextRouteVersionBase(): Promise<bigint> {
    const [life] = await this.#connection.script(NEXT_BASE, [this.#keys.routes], []);
    return BigInt(life ?? '0') << 32n;
  }
}
