// SPDX-License-Identifier: Apache-2.0

/**
 * Hands out the integers 0 .. capacity-1, each to one holder at a time: first those that nobody has had, then the one that was
 * given back longest ago. So an index, and with it an address that others still remember (ARP, conntrack) and a range of host uids,
 * comes again as late as it can.
 */
export class IndexPool {
  readonly #capacity: number;
  readonly #taken = new Set<number>();
  /** Given back, oldest first. */
  readonly #released = new Set<number>();
  readonly #start: number;
  /** How many were looked at for one that nobody has had. */
  #seen = 0;

  /** `start` is where the first search begins; taken modulo the capacity. */
  constructor(capacity: number, start = 0) {
    this.#capacity = capacity;
    this.#start = capacity === 0 ? 0 : start % capacity;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get taken(): number {
    return this.#taken.size;
  }

  /** A free index, or undefined when all are taken. */
  allocate(): number | undefined {
    const index = this.#fresh() ?? this.#released.values().next().value;
    if (index !== undefined) {
      this.#released.delete(index);
      this.#taken.add(index);
    }
    return index;
  }

  /** Takes one index, known from a record. False when it is taken already or not in the pool. */
  reserve(index: number): boolean {
    if (!Number.isInteger(index) || index < 0 || index >= this.#capacity || this.#taken.has(index)) {
      return false;
    }
    this.#released.delete(index);
    this.#taken.add(index);
    return true;
  }

  release(index: number): void {
    if (this.#taken.delete(index)) {
      this.#released.add(index);
    }
  }

  /** One that nobody has had. */
  #fresh(): number | undefined {
    while (this.#seen < this.#capacity) {
      const index = (this.#start + this.#seen) % this.#capacity;
      this.#seen += 1;
      if (!this.#taken.has(index) && !this.#released.has(index)) {
        return index;
      }
    }
    return undefined;
  }
}
