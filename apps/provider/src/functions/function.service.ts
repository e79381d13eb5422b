// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import { type FunctionRecord, type FunctionStore, StateError } from '@junctiond/function-state';
import { type FunctionKey, namespaceOrDefault, routeName } from '../domain/function-key.js';
import { describeFaults, validateFunctionSpec } from '../domain/function-spec.validation.js';
import { type FieldFault, MAX_REPLICAS, readFunctionSettings } from '../domain/function-settings.js';
import { ProviderError } from '../domain/provider.error.js';
import type { Clock } from '../platform/clock.js';
import type { Reconciler } from '../reconcile/reconciler.js';
import type { FunctionCatalog } from '../state/function-catalog.js';
import type { StateKeeper } from '../state/state-keeper.js';
import type { ImageCheck } from './image-check.js';

/** What a deployment may cost its caller. */
export interface CallLimits {
  readonly deadline: Date | undefined;
  readonly signal: AbortSignal;
}

/** Changes of the desired state of functions. Making it so is the reconciler's. */
export class FunctionService {
  readonly #state: StateKeeper;
  readonly #catalog: FunctionCatalog;
  readonly #reconciler: Reconciler;
  readonly #images: ImageCheck;
  readonly #clock: Clock;

  constructor(state: StateKeeper, catalog: FunctionCatalog, reconciler: Reconciler, images: ImageCheck, clock: Clock) {
    this.#state = state;
    this.#catalog = catalog;
    this.#reconciler = reconciler;
    this.#images = images;
    this.#clock = clock;
  }

  /** Creates a function, or updates one that exists. Throws `invalid_argument` with all faults, `unavailable`. */
  async deploy(request: functionV1.FunctionSpec | undefined, limits: CallLimits): Promise<void> {
    const spec = this.#accept(request);
    const imageDigest = await this.#images.digestOf(spec.image, limits);
    await this.#write(spec, imageDigest, async (functions) => {
      const { scaleMin } = readFunctionSettings(spec, []);
      try {
        return await functions.create(spec, scaleMin, { imageDigest, nowMs: this.#clock.nowMs() });
      } catch (error) {
        if (error instanceof StateError && error.code === 'already-exists') {
          return undefined;
        }
        throw error;
      }
    });
  }

  /** Updates a function. Throws `not_found`, `invalid_argument` with all faults, `unavailable`. */
  async update(request: functionV1.FunctionSpec | undefined, limits: CallLimits): Promise<void> {
    // Clients try an update first and deploy where there is nothing to update: that answer waits for no image.
    if (request !== undefined && request.name !== '') {
      this.#require({ namespace: namespaceOrDefault(request.namespace), name: request.name });
    }
    const spec = this.#accept(request);
    const imageDigest = await this.#images.digestOf(spec.image, limits);
    await this.#write(spec, imageDigest, () => Promise.resolve(undefined));
  }

  /** Throws `not_found`, `unavailable`. */
  async delete(key: FunctionKey): Promise<void> {
    await this.#state.change(routeName(key), async ({ functions }) => {
      await functions.delete(key.namespace, key.name);
      this.#catalog.remove(key);
    });
  }

  /** Sets the wanted number of replicas. Throws `not_found`, `invalid_argument`, `unavailable`. */
  async scale(key: FunctionKey, replicas: number): Promise<void> {
    if (replicas > MAX_REPLICAS) {
      throw new ProviderError('invalid_argument', `replicas is ${replicas}, expected at most ${MAX_REPLICAS}`);
    }
    await this.#state.change(routeName(key), async ({ functions }) => {
      this.#catalog.put(await functions.scale(key.namespace, key.name, { least: replicas, most: replicas }));
    });
  }

  /**
   * Sees to it that at least one replica is wanted; it is there when the routes say so. Throws `not_found`, `unavailable`,
   * and `failed_precondition` with the reason where its replicas cannot start.
   */
  async requestReplica(key: FunctionKey): Promise<void> {
    const { record } = this.#require(key);
    if (record.wantedReplicas === 0) {
      await this.#state.change(routeName(key), async ({ functions }) => {
        this.#catalog.put(await functions.scale(key.namespace, key.name, { least: 1, most: MAX_REPLICAS }));
      });
    }
    const { failure } = this.#reconciler.statusOf(key);
    if (failure !== '') {
      throw new ProviderError('failed_precondition', `function ${routeName(key)} cannot start: ${failure}`);
    }
  }

  /** The spec with its namespace filled in. Throws ProviderError `invalid_argument` with all faults. */
  #accept(request: functionV1.FunctionSpec | undefined): functionV1.FunctionSpec {
    if (request === undefined) {
      throw new ProviderError('invalid_argument', 'spec is missing');
    }
    const spec = { ...request, namespace: namespaceOrDefault(request.namespace) };
    const faults = validateFunctionSpec(spec);
    const hasFaultyNamespace = faults.some(({ field }) => field === 'namespace');
    faults.push(...(hasFaultyNamespace ? [] : this.#placeFaults(spec)));
    if (faults.length > 0) {
      throw new ProviderError('invalid_argument', describeFaults(faults));
    }
    return spec;
  }

  /** What has to exist before: the namespace and the secrets. */
  #placeFaults({ namespace, secrets }: functionV1.FunctionSpec): FieldFault[] {
    if (!this.#catalog.hasNamespace(namespace)) {
      return [{ field: 'namespace', message: `${namespace} does not exist` }];
    }
    const missing = (secrets?.items ?? []).filter(
      (name) => this.#catalog.secretRevision(namespace, name) === undefined,
    );
    return missing.length === 0
      ? []
      : [{ field: 'secrets', message: `do not exist in namespace ${namespace}: ${missing.join(', ')}` }];
  }

  /** Writes a spec: by `create`, or as an update where that answers undefined. */
  async #write(
    spec: functionV1.FunctionSpec,
    imageDigest: string,
    create: (functions: FunctionStore) => Promise<FunctionRecord | undefined>,
  ): Promise<void> {
    await this.#state.change(routeName(spec), async ({ functions }) => {
      const { scaleMin, scaleMax } = readFunctionSettings(spec, []);
      const record =
        (await create(functions)) ??
        (await functions.update(
          spec,
          { least: scaleMin, most: scaleMax },
          { imageDigest, nowMs: this.#clock.nowMs() },
        ));
      this.#catalog.put(record);
    });
  }

  #require(key: FunctionKey): { record: FunctionRecord } {
    const entry = this.#catalog.get(key);
    if (entry !== undefined) {
      return entry;
    }
    if (!this.#state.wasLoaded) {
      throw new ProviderError('unavailable', this.#state.problem ?? 'the provider is starting');
    }
    throw new ProviderError('not_found', `function ${key.name} does not exist in namespace ${key.namespace}`);
  }
}
