// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { systemClock } from './clock.js';
import { KeyedMutex } from './keyed-mutex.js';
import { Semaphore } from './semaphore.js';
import { SharedLock } from './shared-lock.js';

/** A work that ends when it is told to, and notes when it began and ended. */
function makeWork(name: string, log: string[]): { run: () => Promise<string>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    run: async () => {
      log.push(`${name} begins`);
      await promise;
      log.push(`${name} ends`);
      return name;
    },
    end: resolve,
  };
}

/** Lets everything that is ready to run go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('KeyedMutex', () => {
  it('runs works of one key in order and those of others beside them', async () => {
    const log: string[] = [];
    const mutex = new KeyedMutex();
    const [a1, a2, b] = [makeWork('a1', log), makeWork('a2', log), makeWork('b', log)];
    const results = [mutex.run('a', a1.run), mutex.run('a', a2.run), mutex.run('b', b.run)];
    await settle();
    expect(log).toEqual(['a1 begins', 'b begins']);
    a1.end();
    a2.end();
    b.end();
    expect(await Promise.all(results)).toEqual(['a1', 'a2', 'b']);
    expect(log.indexOf('a1 ends')).toBeLessThan(log.indexOf('a2 begins'));
  });

  it('goes on after a work that fails', async () => {
    const mutex = new KeyedMutex();
    const failing = mutex.run('a', () => Promise.reject(new Error('no')));
    const next = mutex.run('a', () => Promise.resolve(1));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe(1);
  });
});

describe('SharedLock', () => {
  it('lets an exclusive work wait for those inside, and others for it', async () => {
    const log: string[] = [];
    const lock = new SharedLock();
    const [inside, alone, after] = [makeWork('inside', log), makeWork('alone', log), makeWork('after', log)];
    const results = [lock.shared(inside.run), lock.exclusive(alone.run), lock.shared(after.run)];
    await settle();
    expect(log).toEqual(['inside begins']);
    inside.end();
    await settle();
    expect(log).toEqual(['inside begins', 'inside ends', 'alone begins']);
    alone.end();
    after.end();
    expect(await Promise.all(results)).toEqual(['inside', 'alone', 'after']);
  });

  it('lets exclusive works follow each other and survives their failure', async () => {
    const log: string[] = [];
    const lock = new SharedLock();
    const second = makeWork('second', log);
    const failing = lock.exclusive(() => Promise.reject(new Error('no')));
    const next = lock.exclusive(second.run);
    await expect(failing).rejects.toThrow('no');
    second.end();
    expect(await next).toBe('second');
    expect(await lock.shared(() => Promise.resolve('free'))).toBe('free');
  });
});

describe('Semaphore', () => {
  it('lets so many run at once and the rest in order', async () => {
    const log: string[] = [];
    const semaphore = new Semaphore(2);
    const works = ['a', 'b', 'c', 'd'].map((name) => makeWork(name, log));
    const results = works.map(({ run }) => semaphore.run(run));
    await settle();
    expect(log).toEqual(['a begins', 'b begins']);
    works[1]?.end();
    await settle();
    expect(log.at(-1)).toBe('c begins');
    works.forEach(({ end }) => end());
    await Promise.all(results);
    expect(log.filter((line) => line.endsWith('ends')).length).toBe(4);
  });

  it('frees a place when a work fails', async () => {
    const semaphore = new Semaphore(1);
    await expect(semaphore.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await semaphore.run(() => Promise.resolve(1))).toBe(1);
  });
});

describe('systemClock', () => {
  it('calls back unless it is told not to', async () => {
    const called: string[] = [];
    const cancel = systemClock.after(1, () => called.push('cancelled'));
    cancel();
    await new Promise<void>((resolve) => {
      systemClock.after(2, resolve);
    });
    expect(called).toEqual([]);
  });

  it('tells Unix milliseconds', () => {
    expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(60_000);
  });
});
