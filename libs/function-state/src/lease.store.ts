// SPDX-License-Identifier: Apache-2.0
import { luaScript } from './lua-script.js';
import { StateError } from './state.error.js';
import type { StateConnection } from './state-connection.js';
import type { StateKeys } from './state-keys.js';

/** Who may change the state. Told apart by all four fields; pid and start time let a successor see that it is dead. */
export interface LeaseOwner {
  readonly node: string;
  readonly pid: number;
  /** Start time of the process (field 22 of /proc/<pid>/stat), so that a reused pid is not mistaken for it. */
  readonly startTicks: string;
  readonly nonce: string;
}

export type LeaseAttempt =
  | { readonly kind: 'held'; readonly epoch: number }
  | { readonly kind: 'taken'; readonly owner: LeaseOwner; readonly expiresInMs: number };

const ACQUIRE = luaScript(`
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {'held', redis.call('HGET', KEYS[1], 'epoch')}
end
if owner and owner ~= ARGV[3] then return {'taken', owner, redis.call('PTTL', KEYS[1])} end
local epoch = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'held', epoch}
`);

const RELEASE = luaScript(`
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {'ok'}
`);

/** The single-writer lease: of all providers on one Redis, only its holder changes state and acts on it. */
export class LeaseStore {
  readonly #connection: StateConnection;
  readonly #keys: StateKeys;

  constructor(connection: StateConnection, keys: StateKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /**
   * Takes the lease or prolongs it. The epoch grows each time it changes hands and stays while it is prolonged.
   * `dead` is an owner that the caller knows to be gone: it is replaced without waiting for its time to run out.
   * Throws StateError `unavailable`, `unreadable`.
   */
  async acquire(owner: LeaseOwner, ttlMs: number, dead?: LeaseOwner): Promise<LeaseAttempt> {
    const [status, first, second] = await this.#connection.script(
      ACQUIRE,
      [this.#keys.lease, this.#keys.epoch],
      [ownerText(owner), ttlMs, dead === undefined ? '' : ownerText(dead)],
    );
    if (status === 'held') {
      return { kind: 'held', epoch: Number(first) };
    }
    return { kind: 'taken', owner: parseOwner(first ?? ''), expiresInMs: Math.max(0, Number(second)) };
  }

  /** Gives the lease back, if it is this owner's. Throws StateError `unavailable`. */
  async release(owner: LeaseOwner): Promise<void> {
    await this.#connection.script(RELEASE, [this.#keys.lease], [ownerText(owner)]);
  }
}

function ownerText(owner: LeaseOwner): string {
  return JSON.stringify([owner.node, owner.pid, owner.startTicks, owner.nonce]);
}

function parseOwner(text: string): LeaseOwner {
  try {
    const [node, pid, startTicks, nonce] = JSON.parse(text) as unknown[];
    if (
      typeof node === 'string' &&
      typeof pid === 'number' &&
      typeof startTicks === 'string' &&
      typeof nonce === 'string'
    ) {
      return { node, pid, startTicks, nonce };
    }
  } catch (error) {
    throw new StateError('unreadable', 'the lease names no owner that can be read', { cause: error });
  }
  throw new StateError('unreadable', 'the lease names no owner that can be read');
}
