// SPDX-License-Identifier: Apache-2.0
import { RedisServer, type RedisServerOptions } from '@junctiond/testing';
import { FunctionState, type LeaseOwner, SecretSealer, StateConnection } from '../src/index.js';

export const OWNER: LeaseOwner = { node: 'node-a', pid: 1, startTicks: '100', nonce: 'a' };
export const SEALING_KEY = Buffer.alloc(32, 7);

/** A Redis with the stores of one provider on it, which holds the lease and has the default namespace. */
export class StateBench {
  readonly server: RedisServer;
  readonly #opened: StateConnection[] = [];

  private constructor(server: RedisServer) {
    this.server = server;
  }

  static async start(options: RedisServerOptions = {}): Promise<StateBench> {
    return new StateBench(await RedisServer.start(options));
  }

  /** Another provider's view: own connection, own fence, no lease yet. */
  async open(stack = 'test', url = this.server.url): Promise<FunctionState> {
    const connection = StateConnection.open({ url, commandTimeoutMs: 5_000, maxReconnectDelayMs: 50 });
    this.#opened.push(connection);
    await connection.whenUp(AbortSignal.timeout(10_000));
    return new FunctionState(connection, stack, new SecretSealer(SEALING_KEY));
  }

  /** Holds the lease and has namespace `ns`. */
  async openWriter(stack = 'test', owner = OWNER): Promise<FunctionState> {
    const state = await this.open(stack);
    const attempt = await state.lease.acquire(owner, 60_000);
    if (attempt.kind !== 'held') {
      throw new Error('another owner holds the lease');
    }
    state.fence.epoch = attempt.epoch;
    if ((await state.namespaces.get('ns')) === undefined) {
      await state.namespaces.create({ name: 'ns', labels: {}, annotations: {} });
    }
    return state;
  }

  async clear(): Promise<void> {
    const state = await this.open();
    await state.connection.run((redis) => redis.flushall());
  }

  async stop(): Promise<void> {
    for (const connection of this.#opened) {
      connection.close();
    }
    await this.server.stop();
  }
}

/** The whole content of Redis as one text, to search it for what must not be there. */
export async function dumpRedis(state: FunctionState): Promise<string> {
  return state.connection.run(async (redis) => {
    const parts: string[] = [];
    for (const key of await redis.keys('*')) {
      const type = await redis.type(key);
      const value =
        type === 'hash' ? await redis.hgetall(key) : type === 'set' ? await redis.smembers(key) : await redis.get(key);
      parts.push(`${key} ${JSON.stringify(value)}`);
    }
    return parts.sort().join('\n');
  });
}
