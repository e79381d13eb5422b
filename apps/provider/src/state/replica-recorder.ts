// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import type { ReplicaRecord } from '@junctiond/function-state';
import type { Logger } from '@junctiond/telemetry';
import { type FunctionKey, routeName } from '../domain/function-key.js';
import { messageOf } from '../domain/provider.error.js';
import type { StateKeeper } from './state-keeper.js';

interface Pending {
  readonly key: FunctionKey;
  readonly records: readonly ReplicaRecord[];
}

/**
 * Writes what is known of replicas to the store, beside the work that must not wait for it: only the newest set of each
 * function is kept, and while the store cannot be written it waits.
 */
export class ReplicaRecorder {
  readonly #state: StateKeeper;
  readonly #log: Logger;
  readonly #latest = new Map<string, readonly ReplicaRecord[]>();
  readonly #pending = new Map<string, Pending>();
  #isWriting = false;

  constructor(state: StateKeeper, log: Logger) {
    this.#state = state;
    this.#log = log;
    state.onReady(() => void this.#write());
  }

  /** Takes a function's whole set. */
  record(key: FunctionKey, records: readonly ReplicaRecord[]): void {
    const name = routeName(key);
    if (!isDeepStrictEqual(this.#latest.get(name), records)) {
      this.#latest.set(name, records);
      this.#pending.set(name, { key, records });
      void this.#write();
    }
  }

  /** The function is gone, and its record with it. */
  forget(key: FunctionKey): void {
    this.#latest.delete(routeName(key));
    this.#pending.delete(routeName(key));
  }

  async #write(): Promise<void> {
    if (this.#isWriting) {
      return;
    }
    this.#isWriting = true;
    try {
      for (;;) {
        const next = this.#pending.entries().next().value;
        if (next === undefined || !this.#state.canWrite) {
          return;
        }
        const [name, pending] = next;
        const { namespace, name: functionName } = pending.key;
        await this.#state.read(({ replicas }) => replicas.replace(namespace, functionName, pending.records));
        // A newer set may have come meanwhile.
        if (this.#pending.get(name) === pending) {
          this.#pending.delete(name);
        }
      }
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'replicas could not be recorded; tried again with the next change');
    } finally {
      this.#isWriting = false;
    }
  }
}
