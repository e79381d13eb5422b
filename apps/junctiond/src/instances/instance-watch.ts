// SPDX-License-Identifier: Apache-2.0
import type { Instance } from '@junctiond/instance-model';

import { BoundedQueue } from '../bounded-queue.js';

export type InstanceChange =
  | { readonly kind: 'snapshot'; readonly instances: readonly Instance[] }
  | { readonly kind: 'changed' | 'deleted'; readonly instance: Instance };

/** All labels of a query must be there with the same value. */
export type LabelQuery = Readonly<Record<string, string>>;

/** Chosen: some changes for each of a thousand instances. */
const CAPACITY = 4096;

/** Spreads changes of instances to any number of watchers, none of whom can hold up another. */
export class InstanceWatch {
  readonly #watchers = new Set<{ labels: LabelQuery; queue: BoundedQueue<InstanceChange> }>();

  publish(kind: 'changed' | 'deleted', instance: Instance): void {
    for (const { labels, queue } of this.#watchers) {
      if (matches(instance, labels)) {
        queue.push({ kind, instance });
      }
    }
  }

  /**
   * First everything that `snapshot` answers, then each change in order, without a gap between them. Throws
   * resource_exhausted when the watcher is too slow.
   */
  async *watch(
    snapshot: () => readonly Instance[],
    labels: LabelQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceChange> {
    const watcher = { labels, queue: new BoundedQueue<InstanceChange>(CAPACITY) };
    this.#watchers.add(watcher);
    try {
      yield { kind: 'snapshot', instances: snapshot().filter((instance) => matches(instance, labels)) };
      yield* watcher.queue.take(signal);
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

export function matches(instance: Instance, labels: LabelQuery): boolean {
  return Object.entries(labels).every(([name, value]) => instance.spec.labels[name] === value);
}
