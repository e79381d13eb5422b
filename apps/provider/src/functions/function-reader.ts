// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import { hasKind } from '@junctiond/rpc';
import type { Logger } from '@junctiond/telemetry';
import { type FunctionKey, namespaceOrDefault } from '../domain/function-key.js';
import { functionMessageOf } from '../domain/function-status.js';
import { INSTANCE_LABELS } from '../domain/instance-template.js';
import { messageOf, ProviderError } from '../domain/provider.error.js';
import type { JunctiondClient } from '../instances/junctiond.client.js';
import type { Reconciler } from '../reconcile/reconciler.js';
import type { CatalogEntry, FunctionCatalog } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';

/** Answers questions about functions from the provider's memory; Redis is not asked. */
export class FunctionReader {
  readonly #state: StateKeeper;
  readonly #catalog: FunctionCatalog;
  readonly #reconciler: Reconciler;
  readonly #junctiond: JunctiondClient;
  readonly #log: Logger;

  constructor(
    state: StateKeeper,
    catalog: FunctionCatalog,
    reconciler: Reconciler,
    junctiond: JunctiondClient,
    log: Logger,
  ) {
    this.#state = state;
    this.#catalog = catalog;
    this.#reconciler = reconciler;
    this.#junctiond = junctiond;
    this.#log = log;
  }

  /** Throws `not_found`, and `unavailable` before the state is loaded. */
  async get(key: FunctionKey, withUsage: boolean): Promise<functionV1.FunctionMessage> {
    this.#requireLoaded();
    const entry = this.#catalog.get(key);
    if (entry === undefined) {
      throw new ProviderError('not_found', `function ${key.name} does not exist in namespace ${key.namespace}`);
    }
    return this.#message(entry, withUsage ? await this.#usage(key) : undefined);
  }

  /** Those of one namespace, or all. Throws `invalid_argument` for an unknown namespace, `unavailable`. */
  list(namespace: string, allNamespaces: boolean): functionV1.FunctionMessage[] {
    this.#requireLoaded();
    const wanted = namespaceOrDefault(namespace);
    if (!allNamespaces && !this.#catalog.hasNamespace(wanted)) {
      throw new ProviderError('invalid_argument', `namespace ${wanted} does not exist`);
    }
    return this.#catalog.list(allNamespaces ? undefined : wanted).map((entry) => this.#message(entry, undefined));
  }

  #message({ record }: CatalogEntry, usage: functionV1.FunctionUsage | undefined): functionV1.FunctionMessage {
    return functionMessageOf(record, this.#reconciler.statusOf(record), usage);
  }

  /** Undefined while junctiond cannot say: the rest of the answer is worth having. */
  async #usage({ namespace, name }: FunctionKey): Promise<functionV1.FunctionUsage | undefined> {
    try {
      const instances = await this.#junctiond.usage({
        [INSTANCE_LABELS.namespace]: namespace,
        [INSTANCE_LABELS.name]: name,
      });
      const usages = instances.flatMap(({ usage }) => usage ?? []);
      return {
        cpuMillicores: usages.reduce((sum, { cpuMillicores }) => sum + cpuMillicores, 0),
        totalMemoryBytes: usages.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0n),
      };
    } catch (error) {
      if (!hasKind(error)) {
        throw error;
      }
      this.#log.warn({ error: messageOf(error) }, 'the usage of a function cannot be told');
      return undefined;
    }
  }

  #requireLoaded(): void {
    if (!this.#state.wasLoaded) {
      throw new ProviderError('unavailable', this.#state.problem ?? 'the provider is starting');
    }
  }
}
