// SPDX-License-Identifier: Apache-2.0

/** Those who want to hear of something. */
export class Listeners<A extends unknown[]> {
  readonly #all = new Set<(...args: A) => void>();

  /** Adds one; the returned function takes it away. */
  add(listener: (...args: A) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(...args: A): void {
    for (const listener of [...this.#all]) {
      listener(...args);
    }
  }
}
