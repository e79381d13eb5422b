// SPDX-License-Identifier: Apache-2.0
import type { Fence } from './fence.js';
import { fenced } from './fence.js';
import { FENCE, luaScript } from './lua-script.js';
import { decodeReplica, encodeReplica, type ReplicaRecord } from './replica.record.js';
import type { StateError } from './state.error.js';
import type { StateConnection } from './state-connection.js';
import type { StateKeys } from './state-keys.js';

/** KEYS: lease, fn, replicas. ARGV: epoch, then pairs of id and record. A deleted function keeps no replicas. */
const REPLACE = luaScript(`${FENCE}
redis.call('DEL', KEYS[3])
if redis.call('EXISTS', KEYS[2]) == 0 then return {'not-found'} end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
return {'ok'}
`);

/** The last known replicas of each function. Every method throws StateError `unavailable`. */
export class ReplicaStore {
  readonly #connection: StateConnection;
  readonly #keys: StateKeys;
  readonly #fence: Fence;

  constructor(connection: StateConnection, keys: StateKeys, fence: Fence) {
    this.#connection = connection;
    this.#keys = keys;
    this.#fence = fence;
  }

  /** Sets a function's whole set. Answers false where the function does not exist. Throws `fenced`. */
  async replace(namespace: string, name: string, replicas: readonly ReplicaRecord[]): Promise<boolean> {
    const [status] = await this.#connection.script(
      REPLACE,
      [this.#keys.lease, this.#keys.fn(namespace, name), this.#keys.replicas(namespace, name)],
      [this.#fence.require(), ...replicas.flatMap((replica) => [replica.id, encodeReplica(replica)])],
    );
    if (status === 'fenced') {
      throw fenced();
    }
    return status === 'ok';
  }

  /** Sorted by id; records that cannot be read are handed to `onUnreadable` and left out. */
  async list(
    namespace: string,
    name: string,
    onUnreadable: (error: StateError) => void,
  ): Promise<readonly ReplicaRecord[]> {
    const fields = await this.#connection.run((redis) => redis.hgetall(this.#keys.replicas(namespace, name)));
    const replicas: ReplicaRecord[] = [];
    for (const [id, text] of Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))) {
      try {
        replicas.push(decodeReplica(id, text));
      } catch (error) {
        onUnreadable(error as StateError);
      }
    }
    return replicas;
  }
}
