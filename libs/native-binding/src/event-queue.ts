// SPDX-License-Identifier: Apache-2.0
import { loadAddon, type NativeEventQueue } from './addon.js';
import { native } from './native-error.js';

/** "There are frames for this instance": posted by NIC sides, taken by the scheduler. */
export interface NicEvent {
  /** The number that the instance was registered under, below 2^24. */
  instance: number;
  /** Below 64. */
  queuePair: number;
}

/**
 * The node's event queue (native/src/nic/event_queue.h): a file that is mapped by trusted processes, with any number of producers and one
 * consumer. Its methods never block.
 */
export class EventQueue {
  readonly #native: NativeEventQueue;

  private constructor(queue: NativeEventQueue) {
    this.#native = queue;
  }

  /** For a producer. Throws NativeError: an errno (`ENOENT`: nobody has made it yet), `EPROTO` for another file. */
  static open(path: string): EventQueue {
    const addon = loadAddon();
    return new EventQueue(native(() => new addon.EventQueue(path, false)));
  }

  /** For the consumer: takes the file up with what is in it, or makes it. */
  static create(path: string): EventQueue {
    const addon = loadAddon();
    return new EventQueue(native(() => new addon.EventQueue(path, true)));
  }

  /** False: the queue is full; the event is lost and counted. Throws `ERR_NATIVE_OPTION` for numbers out of range. */
  post(event: NicEvent): boolean {
    return native(() => this.#native.post(event.instance, event.queuePair));
  }

  /** The next event; the consumer only, else `ERR_NATIVE_OPTION`. */
  take(): NicEvent | undefined {
    return native(() => this.#native.take());
  }

  /** Events that found the queue full, since the file was made. */
  get overflows(): number {
    return native(() => this.#native.overflows());
  }

  /** Unmaps the file. Any number of times; later calls of the others throw `ERR_NATIVE_CLOSED`. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
