// SPDX-License-Identifier: Apache-2.0

/** Writes versions of one thing in order, leaving out those that are outdated before their turn comes. */
export class LatestWriter<T> {
  readonly #write: (value: T) => Promise<void>;
  #running: Promise<void> | undefined;
  #next: { value: T; written: Promise<void>; begin: () => void } | undefined;
  #isClosed = false;

  constructor(write: (value: T) => Promise<void>) {
    this.#write = write;
  }

  /** Settles when this version or a later one is written. After `close` nothing is written any more. */
  write(value: T): Promise<void> {
    if (this.#isClosed) {
      return Promise.resolve();
    }
    if (this.#running === undefined) {
      return this.#start(value);
    }
    if (this.#next === undefined) {
      let begin = (): void => undefined;
      const turn = new Promise<void>((resolve) => (begin = resolve));
      this.#next = { value, begin, written: turn.then(() => this.#startNext()) };
    } else {
      this.#next.value = value;
    }
    return this.#next.written;
  }

  /** Settles when nothing is being written and nothing will be. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const next = this.#next;
    await this.#running?.catch(() => undefined);
    await next?.written.catch(() => undefined);
  }

  #startNext(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    return next === undefined ? Promise.resolve() : this.#start(next.value);
  }

  #start(value: T): Promise<void> {
    const running = this.#write(value).finally(() => {
      this.#running = undefined;
      this.#next?.begin();
    });
    this.#running = running;
    return running;
  }
}
