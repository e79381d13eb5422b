// SPDX-License-Identifier: Apache-2.0

/**
 * Hands out the integers 0 .. capacity-1, each to one holder at a time. It goes round (next fit) instead of giving the lowest
 * free one, so that a released index, and with it a range of host uids or an address, is not reused at once.
 */
export class IndexPool {
  readonly #capacity: number;
  readonly #taken = new Set<number>();
  #next: number;

  /** `start` is where the first search begins; taken modulo the capacity. */
  constructor(capacity: number, start = 0) {
    this.#capacity = capacity;
    this.#next = capacity === 0 ? 0 : start % capacity;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get taken(): number {
    return this.#taken.size;
  }

  /** A free index, or undefined when all are taken. */
  allocate(): number | undefined {
    if (this.#taken.size >= this.#capacity) {
      return undefined;
    }
    while (this.#taken.has(this.#next)) {
      this.#next = (this.#next + 1) % this.#capacity;
    }
    const index = this.#next;
    this.#taken.add(index);
    this.#next = (this.#next + 1) % this.#capacity;
    return index;
  }

  /** Takes one index, known from a record. False when it is taken already or not in the pool. */
  reserve(index: number): boolean {
    if (!Number.isInteger(index) || index < 0 || index >= this.#capacity || this.#taken.has(index)) {
      return false;
    }
    this.#taken.add(index);
    return true;
  }

  release(index: number): void {
    this.#taken.delete(index);
  }
}
