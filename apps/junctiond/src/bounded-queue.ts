// SPDX-License-Identifier: Apache-2.0
import { JunctiondError } from './junctiond.error.js';

/** Hands items from those who make them to one who takes them at his own pace. Full: the taker is too slow and is told so. */
export class BoundedQueue<T> {
  readonly #capacity: number;
  #items: T[] = [];
  #isOverrun = false;
  #wake: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Never waits. What comes after an overrun is dropped. */
  push(item: T): void {
    if (this.#items.length >= this.#capacity) {
      this.#isOverrun = true;
      this.#items = [];
    } else if (!this.#isOverrun) {
      this.#items.push(item);
    }
    this.#wake?.();
  }

  /** The items, until `signal` is aborted. Throws resource_exhausted after an overrun. One taker. */
  async *take(signal: AbortSignal): AsyncGenerator<T> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      for (;;) {
        while (this.#items.length === 0 && !this.#isOverrun && !signal.aborted) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
        if (signal.aborted) {
          return;
        }
        if (this.#isOverrun) {
          throw new JunctiondError(
            'resource_exhausted',
            `the watcher is more than ${this.#capacity} events behind: connect again for a new snapshot`,
          );
        }
        const items = this.#items;
        this.#items = [];
        yield* items;
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }
}
