// SPDX-License-Identifier: Apache-2.0

interface Offer<T> {
  readonly item: T;
  readonly taken: () => void;
}

/**
 * Many streams in one, items in the order in which they come. A source is asked for its next item only when the last one was
 * taken, so a slow reader holds up the sources and nothing piles up. One reader.
 */
export class Confluence<T> {
  readonly #offers: Offer<T>[] = [];
  #sources = 0;
  #isClosed = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** How many sources have not ended. */
  get sources(): number {
    return this.#sources;
  }

  add(source: AsyncIterable<T>): void {
    this.#sources += 1;
    this.#drain(source).then(
      () => this.#ended(),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#ended();
      },
    );
  }

  /** No more sources will come: the stream ends when those there are have ended. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  /** Rejects with the error of a source, or with the signal's reason. */
  async *read(signal: AbortSignal): AsyncGenerator<T> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      for (;;) {
        signal.throwIfAborted();
        const offer = this.#offers.shift();
        if (offer !== undefined) {
          yield offer.item;
          offer.taken();
        } else if (this.#failure !== undefined) {
          throw this.#failure.error;
        } else if (this.#isClosed && this.#sources === 0) {
          return;
        } else {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wake = resolve;
          await promise;
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  async #drain(source: AsyncIterable<T>): Promise<void> {
    for await (const item of source) {
      await new Promise<void>((taken) => {
        this.#offers.push({ item, taken });
        this.#wake?.();
      });
    }
  }

  #ended(): void {
    this.#sources -= 1;
    this.#wake?.();
  }
}
