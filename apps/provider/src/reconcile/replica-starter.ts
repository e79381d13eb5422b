// SPDX-License-Identifier: Apache-2.0
import { hasKind } from '@junctiond/rpc';
import { makeInstanceId } from '../domain/instance-id.js';
import { instanceSpecOf } from '../domain/instance-template.js';
import { ProviderError } from '../domain/provider.error.js';
import { type Replica, replicaOf } from '../domain/replica.js';
import { secretsRevisionOf } from '../domain/secrets-revision.js';
import type { JunctiondClient } from '../instances/junctiond.client.js';
import { Semaphore } from '../platform/semaphore.js';
import type { CatalogEntry } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';

export interface ReplicaStarterOptions {
  /** What the name `gateway` resolves to inside. */
  readonly gatewayHost: string;
  readonly startsAtOnce: number;
  /** A whole number in [0, bound). */
  readonly random: (bound: number) => number;
}

/** A replica that was brought up, and the secrets it got. */
export interface StartedReplica {
  readonly replica: Replica;
  readonly secretsRevision: string;
}

/** Two ids of 36^8 that meet are a sign of something else being wrong. */
const MAX_ID_ATTEMPTS = 3;

/** Has instances made for functions, and gives them their secrets. */
export class ReplicaStarter {
  readonly #junctiond: JunctiondClient;
  readonly #state: StateKeeper;
  readonly #options: ReplicaStarterOptions;
  readonly #places: Semaphore;

  constructor(junctiond: JunctiondClient, state: StateKeeper, options: ReplicaStarterOptions) {
    this.#junctiond = junctiond;
    this.#state = state;
    this.#options = options;
    this.#places = new Semaphore(options.startsAtOnce);
  }

  /** Throws what junctiond or the store answer; ProviderError `failed_precondition` where a secret is missing. */
  async start(entry: CatalogEntry): Promise<StartedReplica> {
    return this.#places.run(async () => {
      const secrets = await this.#secretsOf(entry);
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.#create(entry, secrets);
        } catch (error) {
          if (!hasKind(error) || error.kind !== 'already_exists' || attempt >= MAX_ID_ATTEMPTS) {
            throw error;
          }
        }
      }
    });
  }

  /** Writes the current secrets into a running replica; answers which these are. */
  async refreshSecrets(entry: CatalogEntry, replicaId: string): Promise<string> {
    const { files, revision } = await this.#secretsOf(entry);
    await this.#junctiond.updateSecrets(replicaId, files);
    return revision;
  }

  async #create(
    { record, settings }: CatalogEntry,
    secrets: { files: Record<string, Uint8Array>; revision: string },
  ): Promise<StartedReplica> {
    const id = makeInstanceId(record.name, this.#options.random);
    const spec = instanceSpecOf(record, settings, {
      id,
      secrets: secrets.files,
      hosts: { gateway: this.#options.gatewayHost },
    });
    const instance = await this.#junctiond.create(spec);
    const replica = instance === undefined ? undefined : replicaOf(instance);
    if (replica === undefined) {
      throw new ProviderError('internal', 'junctiond answered a creation without the instance');
    }
    return { replica, secretsRevision: secrets.revision };
  }

  async #secretsOf({ record }: CatalogEntry): Promise<{ files: Record<string, Uint8Array>; revision: string }> {
    const names = record.spec.secrets?.items ?? [];
    const found = await this.#state.read(({ secrets }) => secrets.read(record.namespace, names));
    const missing = names.filter((name) => !found.some((secret) => secret.name === name));
    if (missing.length > 0) {
      throw new ProviderError(
        'failed_precondition',
        `secrets that do not exist in namespace ${record.namespace}: ${missing.join(', ')}`,
      );
    }
    return {
      files: Object.fromEntries(found.map(({ name, value }) => [name, value])),
      revision: secretsRevisionOf(found),
    };
  }
}
