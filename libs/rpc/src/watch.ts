// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, defaultBackoff, type BackoffBounds } from './backoff.js';

/** What `watchWithReconnect` needs. */
export interface WatchOptions<T> {
  /** Opens the stream; its first item should be a snapshot, as after each reconnect. */
  readonly open: (signal: AbortSignal) => AsyncIterable<T>;
  /** Takes items one by one, in order. An error thrown here ends this stream and opens a new one. */
  readonly onItem: (item: T) => void | Promise<void>;
  /** Once an outage: the stream broke, or could not be opened. */
  readonly onDisconnect?: (error: unknown) => void;
  /** With the first item after each connect. */
  readonly onConnect?: () => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly backoff?: BackoffBounds;
  readonly random?: () => number;
  /** Resolves after `ms`, or rejects when `signal` is aborted. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Keeps a server stream open: a stream that ends or fails is opened again after a jittered wait. Resolves when `signal` is aborted. */
export async function watchWithReconnect<T>(options: WatchOptions<T>): Promise<void> {
  const { open, onItem, onDisconnect, onConnect, signal, backoff = defaultBackoff, random = Math.random } = options;
  const wait = options.wait ?? ((ms, abort) => sleep(ms, undefined, { signal: abort }));
  // A function: the compiler would take the answer of the loop's head for granted in its body.
  const isOver = () => signal.aborted;
  let attempt = 0;
  let isDown = false;
  while (!isOver()) {
    let failure: unknown = new Error('the stream ended');
    let isFirst = true;
    try {
      for await (const item of open(signal)) {
        if (isFirst) {
          isFirst = false;
          isDown = false;
          onConnect?.();
        }
        await onItem(item);
        attempt = 0;
      }
    } catch (error) {
      failure = error;
    }
    if (isOver()) return;
    if (!isDown) {
      isDown = true;
      onDisconnect?.(failure);
    }
    await wait(backoffMs(attempt, backoff, random), signal).catch(() => undefined);
    attempt += 1;
  }
}
