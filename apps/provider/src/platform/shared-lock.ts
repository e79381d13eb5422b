// SPDX-License-Identifier: Apache-2.0

/** Many at a time, or one alone. An exclusive work lets nobody new in and waits until those inside are done. */
export class SharedLock {
  #inside = 0;
  #exclusive: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.#exclusive !== undefined) {
      await this.#exclusive;
    }
    this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) {
        this.#onEmpty?.();
      }
    }
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (this.#exclusive !== undefined) {
      await this.#exclusive;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exclusive = promise;
    try {
      if (this.#inside > 0) {
        await new Promise<void>((onEmpty) => {
          this.#onEmpty = onEmpty;
        });
      }
      return await work();
    } finally {
      this.#onEmpty = undefined;
      this.#exclusive = undefined;
      resolve();
    }
  }
}
