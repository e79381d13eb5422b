// SPDX-License-Identifier: Apache-2.0
import { Redis, type RedisOptions } from 'ioredis';
import type { LuaScript } from './lua-script.js';
import { StateError } from './state.error.js';

export interface StateConnectionOptions {
  /** `unix:<path>`, `redis://[user[:password]@]host[:port][/db]` or `rediss://…`. */
  url: string;
  /** Used where the URL has none. */
  password?: string;
  /** A command without an answer by then fails with `unavailable`. */
  commandTimeoutMs?: number;
  connectTimeoutMs?: number;
  /** Longest pause between two attempts to connect. */
  maxReconnectDelayMs?: number;
  /** Returns [0, 1); spreads reconnects. */
  random?: () => number;
}

const FIRST_RECONNECT_DELAY_MS = 50;

/**
 * The one connection to Redis. While it is down every command fails at once with `unavailable`: nothing is queued,
 * nothing is sent again by itself, since only the caller knows whether that is safe. It reconnects for ever, with
 * back-off.
 */
export class StateConnection {
  readonly #redis: Redis;
  readonly #listeners = new Set<(isUp: boolean) => void>();
  readonly #place: string;
  #isUp = false;
  #lastError: Error | undefined;

  private constructor(redis: Redis, place: string) {
    this.#redis = redis;
    this.#place = place;
    redis.on('ready', () => this.#set(true));
    redis.on('close', () => this.#set(false));
    // Without a listener Node.js would end the process; the error is kept for the next caller's message.
    redis.on('error', (error: Error) => {
      this.#lastError = error;
    });
  }

  /** Starts to connect and returns at once; see `isUp`, `onChange` and `whenUp`. Throws TypeError for a bad URL. */
  static open(options: StateConnectionOptions): StateConnection {
    const random = options.random ?? Math.random;
    const maxDelayMs = options.maxReconnectDelayMs ?? 2_000;
    const target = parseStateUrl(options.url);
    const common: Omit<RedisOptions, 'replyMapping'> = {
      ...target.options,
      ...(target.options.password === undefined && options.password !== undefined
        ? { password: options.password }
        : {}),
      commandTimeout: options.commandTimeoutMs ?? 2_000,
      connectTimeout: options.connectTimeoutMs ?? 2_000,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      retryStrategy: (attempt) => {
        const ceiling = Math.min(maxDelayMs, FIRST_RECONNECT_DELAY_MS * 2 ** Math.min(attempt - 1, 16));
        return Math.ceil(ceiling * (0.5 + random() / 2));
      },
    };
    return new StateConnection(new Redis(common), target.place);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** For people, while it is down: where Redis is and why it cannot be reached. Undefined while it is up. */
  get problem(): string | undefined {
    return this.#isUp ? undefined : this.#describe(this.#lastError ?? new Error('not connected'));
  }

  /** Where Redis is, without credentials; for messages. */
  get place(): string {
    return this.#place;
  }

  /** Calls the listener on each change of `isUp` until the returned function is called. */
  onChange(listener: (isUp: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves as soon as it is up; rejects with the signal's reason. */
  async whenUp(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isUp) {
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        stop();
        reject(signal.reason as Error);
      };
      const stop = this.onChange((isUp) => {
        if (isUp) {
          stop();
          signal.removeEventListener('abort', onAbort);
          resolve();
        }
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Runs plain commands. Throws StateError `unavailable`. */
  async run<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    if (!this.#isUp) {
      throw this.#unavailable(new Error('not connected'));
    }
    try {
      return await work(this.#redis);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  /** Runs a script; its text is sent only when the server does not know it yet. Throws StateError `unavailable`. */
  async script(script: LuaScript, keys: readonly string[], args: readonly (string | number)[]): Promise<string[]> {
    const reply = await this.run(async (redis) => {
      try {
        return await redis.evalsha(script.sha1, keys.length, ...keys, ...args);
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('NOSCRIPT')) {
          return await redis.eval(script.body, keys.length, ...keys, ...args);
        }
        throw error;
      }
    });
    return (reply as unknown[]).map(String);
  }

  close(): void {
    this.#listeners.clear();
    this.#redis.disconnect();
  }

  #set(isUp: boolean): void {
    if (this.#isUp === isUp) {
      return;
    }
    this.#isUp = isUp;
    if (isUp) {
      this.#lastError = undefined;
    }
    for (const listener of [...this.#listeners]) {
      listener(isUp);
    }
  }

  #unavailable(error: unknown): StateError {
    if (error instanceof StateError) {
      return error;
    }
    const why = this.#isUp ? error : (this.#lastError ?? error);
    return new StateError('unavailable', this.#describe(why), { cause: error });
  }

  #describe(why: unknown): string {
    const text = why instanceof Error ? why.message : String(why);
    return `the state store (Redis at ${this.#place}) is not available: ${text}`;
  }
}

interface StateTarget {
  options: RedisOptions;
  place: string;
}

/** Splits a URL into client options and a printable place. Throws TypeError. */
export function parseStateUrl(url: string): StateTarget {
  if (url.startsWith('unix:')) {
    const path = url.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (!path.startsWith('/')) {
      throw new TypeError(`a Redis socket needs an absolute path: unix:/path, not ${url}`);
    }
    return { options: { path }, place: `unix:${path}` };
  }
  // The URL may hold a password, so it is not repeated in messages.
  if (!URL.canParse(url)) {
    throw new TypeError('the Redis URL cannot be parsed; use unix:/path, redis://host:port or rediss://host:port');
  }
  const parsed = new URL(url);
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw new TypeError(`a Redis URL starts with unix:, redis: or rediss:, not ${parsed.protocol}`);
  }
  if (parsed.hostname === '') {
    throw new TypeError('the Redis URL names no host');
  }
  const db = parsed.pathname.slice(1);
  if (!/^[0-9]{0,5}$/.test(db)) {
    throw new TypeError(`the Redis URL's database is a number, not ${db}`);
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = parsed.port === '' ? 6379 : Number(parsed.port);
  return {
    options: {
      host,
      port,
      ...(db === '' ? {} : { db: Number(db) }),
      ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
      ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
      ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
    },
    place: `${parsed.protocol}//${parsed.host}`,
  };
}
