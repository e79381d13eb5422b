// SPDX-License-Identifier: Apache-2.0
import type { FunctionRecord } from '@junctiond/function-state';
import { routeName } from '../domain/function-key.js';
import type { JunctiondClient } from '../instances/junctiond.client.js';
import type { FunctionCatalog } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';

export interface ImageOutcome {
  readonly onDone: () => void;
  readonly onFailed: (error: unknown) => void;
}

/** Finds out which image a function's generation runs, where its deployment could not. One attempt per generation at a time. */
export class ImageResolver {
  readonly #junctiond: JunctiondClient;
  readonly #state: StateKeeper;
  readonly #catalog: FunctionCatalog;
  readonly #pullMs: number;
  readonly #running = new Set<number>();

  constructor(junctiond: JunctiondClient, state: StateKeeper, catalog: FunctionCatalog, pullMs: number) {
    this.#junctiond = junctiond;
    this.#state = state;
    this.#catalog = catalog;
    this.#pullMs = pullMs;
  }

  /** Fetches the image and records its digest; returns at once. */
  resolve(record: FunctionRecord, outcome: ImageOutcome): void {
    const { generation } = record;
    if (this.#running.has(generation)) {
      return;
    }
    this.#running.add(generation);
    this.#resolve(record)
      .finally(() => this.#running.delete(generation))
      .then(outcome.onDone, outcome.onFailed);
  }

  async #resolve({ namespace, name, generation, spec }: FunctionRecord): Promise<void> {
    const imageDigest = await this.#junctiond.ensureImage(spec.image, { deadlineMs: this.#pullMs });
    const key = routeName({ namespace, name });
    await this.#state.change(key, async ({ functions }) => {
      if (this.#catalog.find(key)?.record.generation === generation) {
        this.#catalog.put(await functions.setImageDigest(namespace, name, generation, imageDigest));
      }
    });
  }
}
