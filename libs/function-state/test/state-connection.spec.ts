// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it } from '@jest/globals';
import { RedisServer } from '@junctiond/testing';
import { StateConnection } from '../src/index.js';
import { parseStateUrl } from '../src/state-connection.js';

describe('StateConnection', () => {
  const cleanups: (() => void | Promise<void>)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) {
      await cleanup();
    }
  });

  async function server(options = {}): Promise<RedisServer> {
    const started = await RedisServer.start(options);
    cleanups.push(() => started.stop());
    return started;
  }

  function open(url: string, more: Partial<Parameters<typeof StateConnection.open>[0]> = {}): StateConnection {
    const connection = StateConnection.open({ url, maxReconnectDelayMs: 20, ...more });
    cleanups.push(() => connection.close());
    return connection;
  }

  const change = (connection: StateConnection): Promise<boolean> =>
    new Promise((resolve) => {
      const stop = connection.onChange((isUp) => {
        stop();
        resolve(isUp);
      });
    });

  it('fails at once while Redis cannot be reached, and says where it should be', async () => {
    const connection = open('unix:/nonexistent/redis.sock');
    await expect(connection.run((redis) => redis.get('a'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('unix:/nonexistent/redis.sock'),
    });
    expect(connection.isUp).toBe(false);
    expect(connection.problem).toContain('unix:/nonexistent/redis.sock');
  });

  it('queues nothing while Redis is down and works again when it is back', async () => {
    const redis = await server({ appendOnly: true });
    const connection = open(redis.url);
    await connection.whenUp(AbortSignal.timeout(10_000));
    await connection.run((client) => client.set('a', '1'));

    const down = change(connection);
    await redis.kill();
    expect(await down).toBe(false);
    const refused = Array.from({ length: 50 }, () => connection.run((client) => client.set('a', '2')));
    for (const attempt of await Promise.allSettled(refused)) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    }

    const up = change(connection);
    await redis.start();
    expect(await up).toBe(true);
    expect(await connection.run((client) => client.get('a'))).toBe('1');
  });

  it('gives up a command that a hung Redis does not answer', async () => {
    const redis = await server();
    const connection = open(redis.url, { commandTimeoutMs: 50 });
    await connection.whenUp(AbortSignal.timeout(10_000));
    redis.freeze();
    try {
      await expect(connection.run((client) => client.get('a'))).rejects.toMatchObject({ code: 'unavailable' });
    } finally {
      redis.thaw();
    }
  });

  it('logs in with a password and reports a wrong one', async () => {
    const redis = await server({ password: 'right' });
    const good = open(redis.url, { password: 'right' });
    await good.whenUp(AbortSignal.timeout(10_000));
    expect(good.problem).toBeUndefined();
    expect(await good.run((client) => client.ping())).toBe('PONG');

    const bad = open(redis.url, { password: 'wrong-password', connectTimeoutMs: 200, commandTimeoutMs: 200 });
    await expect(bad.whenUp(AbortSignal.timeout(200))).rejects.toThrow();
    const error = await bad.run((client) => client.ping()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(String(error)).not.toContain('wrong-password');
  });

  it('gives up waiting when the signal says so', async () => {
    const connection = open('unix:/nonexistent/redis.sock');
    const reason = new Error('enough');
    await expect(connection.whenUp(AbortSignal.abort(reason))).rejects.toBe(reason);
    const abort = new AbortController();
    const waiting = connection.whenUp(abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('sends a script again whole when the server has forgotten it', async () => {
    const redis = await server();
    const connection = open(redis.url);
    await connection.whenUp(AbortSignal.timeout(10_000));
    const script = { body: "return {'ok', ARGV[1]}", sha1: '4c8e1c5d0a5c4cbbd6aa2ba9ac9a1cf5a5d9f3e4' };
    expect(await connection.script(script, [], ['x'])).toEqual(['ok', 'x']);
  });
});

describe('parseStateUrl', () => {
  it.each([
    ['unix:/run/redis.sock', { path: '/run/redis.sock' }, 'unix:/run/redis.sock'],
    ['unix:///run/redis.sock', { path: '/run/redis.sock' }, 'unix:/run/redis.sock'],
    ['redis://db.example', { host: 'db.example', port: 6379 }, 'redis://db.example'],
    ['redis://[::1]:7000/3', { host: '::1', port: 7000, db: 3 }, 'redis://[::1]:7000'],
    [
      'rediss://me:p%40ss@db:6380',
      { host: 'db', port: 6380, username: 'me', password: 'p@ss', tls: {} },
      'rediss://db:6380',
    ],
  ])('reads %s', (url, options, place) => {
    expect(parseStateUrl(url)).toEqual({ options, place });
  });

  it.each(['', 'unix:relative', 'http://db', 'redis://', 'redis://db/first', 'redis://:secretpw@:x'])(
    'refuses %j without repeating a password',
    (url) => {
      expect(() => parseStateUrl(url)).toThrow(TypeError);
      expect(() => parseStateUrl(url)).not.toThrow(/secretpw/);
    },
  );
});
