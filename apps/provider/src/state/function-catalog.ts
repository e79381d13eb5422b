// SPDX-License-Identifier: Apache-2.0
import type { FunctionRecord } from '@junctiond/function-state';
import { DEFAULT_NAMESPACE, type FunctionKey, routeName } from '../domain/function-key.js';
import { type FunctionSettings, readFunctionSettings } from '../domain/function-settings.js';
import { Listeners } from '../platform/listeners.js';

/** A function's desired state and what its labels mean. */
export interface CatalogEntry {
  readonly record: FunctionRecord;
  readonly settings: FunctionSettings;
}

/** Name to revision. */
export type SecretRevisions = ReadonlyMap<string, number>;

/** What the state store holds, as it was loaded. */
export interface CatalogContent {
  readonly namespaces: readonly string[];
  readonly functions: readonly FunctionRecord[];
  /** Functions whose record cannot be read: they are neither served from it nor taken for deleted. */
  readonly unreadable: readonly FunctionKey[];
  /** By namespace. */
  readonly secrets: ReadonlyMap<string, SecretRevisions>;
}

/**
 * The provider's copy of the desired state. Only the state keeper writes to it, always after Redis has the change, so it is
 * as good as Redis while the lease is held, and what the provider goes on with while Redis is down.
 */
export class FunctionCatalog {
  #entries = new Map<string, CatalogEntry>();
  #unreadable = new Set<string>();
  #namespaces = new Set<string>([DEFAULT_NAMESPACE]);
  #secrets = new Map<string, SecretRevisions>();
  readonly #changes = new Listeners<[string]>();

  /** Told the `name.namespace` of each function whose desired state changed; the returned function ends that. */
  onChange(listener: (name: string) => void): () => void {
    return this.#changes.add(listener);
  }

  get(key: FunctionKey): CatalogEntry | undefined {
    return this.#entries.get(routeName(key));
  }

  /** By `name.namespace`. */
  find(name: string): CatalogEntry | undefined {
    return this.#entries.get(name);
  }

  /** There is a function of that name, but its record cannot be read: its replicas must be left alone. */
  isUnreadable(name: string): boolean {
    return this.#unreadable.has(name);
  }

  /** Sorted by namespace and name; `namespace` undefined = of all. */
  list(namespace?: string): readonly CatalogEntry[] {
    return [...this.#entries.values()]
      .filter(({ record }) => namespace === undefined || record.namespace === namespace)
      .sort(({ record: a }, { record: b }) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  }

  /** All `name.namespace`. */
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  /** Undefined: no such secret. */
  secretRevision(namespace: string, name: string): number | undefined {
    return this.#secrets.get(namespace)?.get(name);
  }

  put(record: FunctionRecord): void {
    const name = routeName(record);
    this.#entries.set(name, { record, settings: readFunctionSettings(record.spec, []) });
    this.#unreadable.delete(name);
    this.#changes.tell(name);
  }

  remove(key: FunctionKey): void {
    const name = routeName(key);
    this.#entries.delete(name);
    this.#unreadable.delete(name);
    this.#changes.tell(name);
  }

  addNamespace(namespace: string): void {
    this.#namespaces.add(namespace);
  }

  removeNamespace(namespace: string): void {
    this.#namespaces.delete(namespace);
    this.#secrets.delete(namespace);
  }

  /** Functions of the namespace are told to change: they may wait for a secret or hold an old one. */
  putSecrets(namespace: string, revisions: SecretRevisions): void {
    this.#secrets.set(namespace, revisions);
    for (const { record } of this.list(namespace)) {
      if ((record.spec.secrets?.items.length ?? 0) > 0) {
        this.#changes.tell(routeName(record));
      }
    }
  }

  /** Takes over a whole store; everything that was or is there counts as changed. */
  replace(content: CatalogContent): void {
    const before = this.names();
    this.#entries = new Map(
      content.functions.map((record) => [
        routeName(record),
        { record, settings: readFunctionSettings(record.spec, []) },
      ]),
    );
    this.#unreadable = new Set(content.unreadable.map(routeName));
    this.#namespaces = new Set(content.namespaces);
    this.#secrets = new Map(content.secrets);
    for (const name of new Set([...before, ...this.names()])) {
      this.#changes.tell(name);
    }
  }
}
