// SPDX-License-Identifier: Apache-2.0
import { routeName } from '../domain/function-key.js';
import type { Replica } from '../domain/replica.js';
import { Listeners } from '../platform/listeners.js';

/** Enough to recognise answers that come late; ids are random, so forgetting one does no harm. */
const MAX_TOMBSTONES = 4_096;

/**
 * The provider's metadata cache: every replica that is known, its state, IP and port, by function. junctiond's word is
 * copied here as it comes; while junctiond is down the last word stays.
 */
export class InstanceCache {
  readonly #byFunction = new Map<string, Map<string, Replica>>();
  readonly #functionOf = new Map<string, string>();
  readonly #tombstones = new Set<string>();
  readonly #changes = new Listeners<[string]>();

  /** Told the `name.namespace` of each function of which a replica changed; the returned function ends that. */
  onChange(listener: (name: string) => void): () => void {
    return this.#changes.add(listener);
  }

  /** In no order. */
  of(name: string): readonly Replica[] {
    return [...(this.#byFunction.get(name)?.values() ?? [])];
  }

  get(id: string): Replica | undefined {
    const name = this.#functionOf.get(id);
    return name === undefined ? undefined : this.#byFunction.get(name)?.get(id);
  }

  /** All `name.namespace` that have replicas. */
  names(): readonly string[] {
    return [...this.#byFunction.keys()];
  }

  put(replica: Replica): void {
    const name = routeName(replica.function);
    const known = this.#byFunction.get(name) ?? new Map<string, Replica>();
    known.set(replica.id, replica);
    this.#byFunction.set(name, known);
    this.#functionOf.set(replica.id, name);
    this.#changes.tell(name);
  }

  /** Takes the answer to a creation, unless the watch has told of that instance already, even of its end. */
  expect(replica: Replica): void {
    if (!this.#functionOf.has(replica.id) && !this.#tombstones.has(replica.id)) {
      this.put(replica);
    }
  }

  remove(id: string): void {
    this.#tombstones.add(id);
    if (this.#tombstones.size > MAX_TOMBSTONES) {
      const [oldest = id] = this.#tombstones;
      this.#tombstones.delete(oldest);
    }
    const name = this.#functionOf.get(id);
    if (name === undefined) {
      return;
    }
    this.#functionOf.delete(id);
    const known = this.#byFunction.get(name);
    known?.delete(id);
    if (known?.size === 0) {
      this.#byFunction.delete(name);
    }
    this.#changes.tell(name);
  }

  /** Takes over everything there is; what is not in it is gone. */
  replace(replicas: readonly Replica[]): void {
    const names = new Set([...this.names(), ...replicas.map((replica) => routeName(replica.function))]);
    this.#byFunction.clear();
    this.#functionOf.clear();
    for (const replica of replicas) {
      const name = routeName(replica.function);
      const known = this.#byFunction.get(name) ?? new Map<string, Replica>();
      known.set(replica.id, replica);
      this.#byFunction.set(name, known);
      this.#functionOf.set(replica.id, name);
    }
    for (const name of names) {
      this.#changes.tell(name);
    }
  }
}
