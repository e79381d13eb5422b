// SPDX-License-Identifier: Apache-2.0
import type { FunctionState } from '@junctiond/function-state';
import { secretNameFault } from '../domain/names.js';
import { ProviderError } from '../domain/provider.error.js';
import type { FunctionCatalog } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';

/** As Kubernetes limits a Secret, and junctiond the files of an instance. */
const MAX_VALUE_BYTES = 1_048_576;

/** Secrets of a namespace. Replicas that hold one get its new value by the reconciler. */
export class SecretService {
  readonly #state: StateKeeper;
  readonly #catalog: FunctionCatalog;

  constructor(state: StateKeeper, catalog: FunctionCatalog) {
    this.#state = state;
    this.#catalog = catalog;
  }

  /** Names only. Throws `invalid_argument` for an unknown namespace, `unavailable`. */
  async names(namespace: string): Promise<readonly string[]> {
    this.#requireNamespace(namespace);
    return this.#state.read(({ secrets }) => secrets.names(namespace));
  }

  /** Throws `already_exists`, `invalid_argument`, `unavailable`. */
  async create(namespace: string, name: string, value: Uint8Array): Promise<void> {
    this.#check(namespace, name, value);
    await this.#change(namespace, ({ secrets }) => secrets.create(namespace, name, value));
  }

  /** Throws `not_found`, `invalid_argument`, `unavailable`. */
  async update(namespace: string, name: string, value: Uint8Array): Promise<void> {
    this.#check(namespace, name, value);
    await this.#change(namespace, ({ secrets }) => secrets.update(namespace, name, value));
  }

  /** Running replicas keep their copy; new ones cannot start without it. Throws `not_found`, `unavailable`. */
  async delete(namespace: string, name: string): Promise<void> {
    this.#check(namespace, name, new Uint8Array());
    await this.#change(namespace, ({ secrets }) => secrets.delete(namespace, name));
  }

  async #change(namespace: string, work: (state: FunctionState) => Promise<void>): Promise<void> {
    await this.#state.change(`secrets of ${namespace}`, async (state) => {
      await work(state);
      this.#catalog.putSecrets(namespace, await state.secrets.revisions(namespace));
    });
  }

  /** The value is never part of a message. */
  #check(namespace: string, name: string, value: Uint8Array): void {
    const fault = secretNameFault(name);
    if (fault !== undefined) {
      throw new ProviderError('invalid_argument', `the secret ${fault}`);
    }
    if (value.length > MAX_VALUE_BYTES) {
      throw new ProviderError('invalid_argument', `a secret's value has at most ${MAX_VALUE_BYTES} bytes`);
    }
    this.#requireNamespace(namespace);
  }

  #requireNamespace(namespace: string): void {
    if (!this.#catalog.hasNamespace(namespace)) {
      throw new ProviderError('invalid_argument', `namespace ${namespace} does not exist`);
    }
  }
}
