// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import type { NamespaceRecord } from '@junctiond/function-state';
import { DEFAULT_NAMESPACE } from '../domain/function-key.js';
import { namespaceFault } from '../domain/names.js';
import { ProviderError } from '../domain/provider.error.js';
import type { FunctionCatalog } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';

/** Labels and annotations are small; this is far above what anybody sends and far below what a message holds. */
const MAX_RECORD_CHARACTERS = 262_144;

/** Namespaces: names that functions and secrets live under. The default one is always there. */
export class NamespaceService {
  readonly #state: StateKeeper;
  readonly #catalog: FunctionCatalog;

  constructor(state: StateKeeper, catalog: FunctionCatalog) {
    this.#state = state;
    this.#catalog = catalog;
  }

  /** The default one first, the others by name. */
  async list(): Promise<readonly NamespaceRecord[]> {
    const all = await this.#state.read(({ namespaces }) => namespaces.list());
    const isDefault = ({ name }: NamespaceRecord): boolean => name === DEFAULT_NAMESPACE;
    return [...all.filter(isDefault), ...all.filter((record) => !isDefault(record))];
  }

  /** Throws `not_found`, `unavailable`. */
  async get(name: string): Promise<NamespaceRecord> {
    const record = await this.#state.read(({ namespaces }) => namespaces.get(name));
    if (record === undefined) {
      throw new ProviderError('not_found', `namespace ${name} does not exist`);
    }
    return record;
  }

  /** Throws `already_exists`, `invalid_argument`, `unavailable`. */
  async create(request: functionV1.Namespace | undefined): Promise<void> {
    const record = accept(request);
    await this.#state.change(`namespace ${record.name}`, async ({ namespaces }) => {
      await namespaces.create(record);
      this.#catalog.addNamespace(record.name);
    });
  }

  /** Replaces labels and annotations. Throws `not_found`, `invalid_argument`, `unavailable`. */
  async update(request: functionV1.Namespace | undefined): Promise<void> {
    const record = accept(request);
    await this.#state.change(`namespace ${record.name}`, ({ namespaces }) => namespaces.update(record));
  }

  /** Throws `not_found`, `unavailable`; `failed_precondition` for the default one and one that is not empty. */
  async delete(name: string): Promise<void> {
    if (name === DEFAULT_NAMESPACE) {
      throw new ProviderError('failed_precondition', `namespace ${name} is the default one and cannot be deleted`);
    }
    await this.#state.change(`namespace ${name}`, async ({ namespaces }) => {
      await namespaces.delete(name);
      this.#catalog.removeNamespace(name);
    });
  }
}

function accept(request: functionV1.Namespace | undefined): NamespaceRecord {
  if (request === undefined) {
    throw new ProviderError('invalid_argument', 'namespace is missing');
  }
  const { name, labels, annotations } = request;
  const fault = namespaceFault(name);
  if (fault !== undefined) {
    throw new ProviderError('invalid_argument', `name ${fault}`);
  }
  if (JSON.stringify([labels, annotations]).length > MAX_RECORD_CHARACTERS) {
    throw new ProviderError('invalid_argument', 'labels and annotations are too large');
  }
  return { name, labels, annotations };
}
