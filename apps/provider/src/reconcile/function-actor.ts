// SPDX-License-Identifier: Apache-2.0
import type { ReplicaRecord } from '@junctiond/function-state';
import { hasKind } from '@junctiond/rpc';
import type { Logger } from '@junctiond/telemetry';
import type { FailureBackoff } from '../domain/failure-log.js';
import type { FunctionKey } from '../domain/function-key.js';
import { type FunctionPlan, planFunction, type ReplicaView, type Wanted } from '../domain/function-plan.js';
import { type FunctionFailure, laterFailure, type ReplicaStatus } from '../domain/function-status.js';
import { messageOf } from '../domain/provider.error.js';
import type { Endpoint } from '../domain/replica.js';
import { routeOf } from '../domain/route.js';
import { secretsRevisionOf } from '../domain/secrets-revision.js';
import type { InstanceCache } from '../instances/instance-cache.js';
import type { JunctiondClient } from '../instances/junctiond.client.js';
import type { Clock } from '../platform/clock.js';
import type { GatewayRegistry } from '../routes/gateway-registry.js';
import type { RouteTable } from '../routes/route-table.js';
import type { CatalogEntry, FunctionCatalog } from '../state/function-catalog.js';
import type { ReplicaRecorder } from '../state/replica-recorder.js';
import { DrainBook } from './drain-book.js';
import { FailureTracker } from './failure-tracker.js';
import type { ImageResolver } from './image-resolver.js';
import type { ReplicaStarter } from './replica-starter.js';

/** What all actors share. */
export interface ActorContext {
  readonly node: string;
  readonly catalog: FunctionCatalog;
  readonly instances: InstanceCache;
  readonly routes: RouteTable;
  readonly gateways: GatewayRegistry;
  readonly recorder: ReplicaRecorder;
  readonly junctiond: JunctiondClient;
  readonly starter: ReplicaStarter;
  readonly images: ImageResolver;
  readonly clock: Clock;
  readonly backoff: FailureBackoff;
  readonly log: Logger;
  /** Undefined: instances may be created and removed now; otherwise why not. */
  readonly hindrance: () => string | undefined;
}

/** After something that is nobody's fault, such as a call that junctiond did not answer in time. */
const TRANSIENT_PAUSE_MS = 1_000;
/** For replicas of functions that are not known any more. */
const DEFAULT_DRAIN_MS = 60_000;
const DEFAULT_GRACE_MS = 30_000;

/**
 * Keeps one function as it is wanted. `refresh` looks at it and brings its routes up to date, at once and in one step;
 * actions (creations, removals) follow, at most one round at a time. All its memory is about actions under way: a new
 * actor, as after a restart, comes to the same end.
 */
export class FunctionActor {
  readonly #name: string;
  readonly #key: FunctionKey;
  readonly #context: ActorContext;
  readonly #drains: DrainBook;
  readonly #failures: FailureTracker;
  readonly #removing = new Set<string>();
  readonly #secretsWritten = new Map<string, string>();
  #isActing = false;
  #pausedUntilMs = 0;
  #stopTimer: (() => void) | undefined;
  #status: ReplicaStatus & { readonly failure: string } = { available: 0, reason: '', failure: '' };
  #lastFailure: FunctionFailure | undefined;
  #drainMs = DEFAULT_DRAIN_MS;
  #graceMs = DEFAULT_GRACE_MS;

  constructor(name: string, key: FunctionKey, recorded: readonly ReplicaRecord[], context: ActorContext) {
    this.#name = name;
    this.#key = key;
    this.#context = context;
    this.#drains = new DrainBook(context.gateways);
    this.#failures = new FailureTracker(context.backoff, context.clock);
    for (const { id, secretsRevision } of recorded) {
      this.#secretsWritten.set(id, secretsRevision);
    }
  }

  /** As of the last refresh; `failure`: why a request need not wait for a replica. */
  get status(): ReplicaStatus & { readonly failure: string } {
    return this.#status;
  }

  /** Nothing is wanted, nothing is there and nothing is under way: the actor can be forgotten. */
  get isIdle(): boolean {
    const { catalog, instances } = this.#context;
    return (
      !this.#isActing &&
      this.#removing.size === 0 &&
      catalog.find(this.#name) === undefined &&
      instances.of(this.#name).length === 0
    );
  }

  /** Replicas of it wait for gateways. */
  get isDraining(): boolean {
    return !this.#drains.isEmpty;
  }

  /** Something may have changed. */
  trigger(): void {
    if (!this.#context.catalog.isUnreadable(this.#name)) {
      // Removals are not held up by a creation that takes long.
      this.#startRemovals(this.#refresh());
      void this.#act();
    }
  }

  stop(): void {
    this.#stopTimer?.();
  }

  /** Plans until the plan stands, publishing routes on the way. Synchronous, so routes never wait for actions. */
  #refresh(): FunctionPlan {
    const entry = this.#context.catalog.find(this.#name);
    if (entry !== undefined) {
      this.#graceMs = entry.settings.gracePeriodMs;
      this.#drainMs = Math.max(entry.settings.gracePeriodMs, entry.settings.timeoutMs);
    }
    for (;;) {
      const nowMs = this.#context.clock.nowMs();
      const views = this.#views();
      this.#failures.observe(entry?.record, views);
      this.#noteLastFailure(entry, views);
      const plan = planFunction({
        wanted: entry === undefined ? undefined : this.#wanted(entry),
        replicas: views,
        failures: this.#failures.log,
        nowMs,
      });
      const routesVersion = this.#publish(entry, plan, views);
      const known = this.#context.instances.of(this.#name).map(({ id }) => id);
      // A replica whose draining nobody has to wait for goes in the plan after this one.
      if (!this.#drains.note(plan, known, { routesVersion, deadlineMs: nowMs + this.#drainMs })) {
        this.#status = {
          available: plan.serving.length,
          reason: plan.reason,
          failure: plan.failure,
          ...(this.#lastFailure === undefined ? {} : { lastFailure: this.#lastFailure }),
        };
        this.#record(entry, plan, views);
        this.#setTimer(plan);
        return plan;
      }
    }
  }

  /** Carries plans out, one round after another, until there is nothing left to do. */
  async #act(): Promise<void> {
    if (this.#isActing) {
      return;
    }
    this.#isActing = true;
    try {
      for (;;) {
        const plan = this.#refresh();
        this.#startRemovals(plan);
        const work = this.#begin(plan);
        if (work.length === 0) {
          return;
        }
        await Promise.all(work);
      }
    } finally {
      this.#isActing = false;
    }
  }

  #startRemovals({ remove }: FunctionPlan): void {
    if (this.#context.hindrance() === undefined) {
      for (const id of remove) {
        void this.#remove(id);
      }
    }
  }

  /** Starts a plan's other actions; answers those that the next plan has to wait for. They never reject. */
  #begin({ create, refreshSecrets }: FunctionPlan): Promise<void>[] {
    const { catalog, hindrance, clock } = this.#context;
    const entry = catalog.find(this.#name);
    if (entry === undefined || hindrance() !== undefined || clock.nowMs() < this.#pausedUntilMs) {
      return [];
    }
    const { imageDigest, wantedReplicas, generation } = entry.record;
    if (imageDigest === '' && wantedReplicas > 0 && this.#failures.mayTry(generation)) {
      this.#resolveImage(entry);
    }
    return [
      ...Array.from({ length: create }, () => this.#create(entry)),
      ...refreshSecrets.map((id) => this.#refreshSecrets(entry, id)),
    ];
  }

  async #create(entry: CatalogEntry): Promise<void> {
    const { starter, instances, log } = this.#context;
    try {
      const { replica, secretsRevision } = await starter.start(entry);
      this.#secretsWritten.set(replica.id, secretsRevision);
      instances.expect(replica);
      log.info({ function: this.#name, instance: replica.id, generation: replica.generation }, 'replica created');
    } catch (error) {
      this.#failed(entry, error, 'a replica could not be created', isNobodysFault(error));
    }
  }

  async #refreshSecrets(entry: CatalogEntry, id: string): Promise<void> {
    try {
      this.#secretsWritten.set(id, await this.#context.starter.refreshSecrets(entry, id));
      this.#context.log.info({ function: this.#name, instance: id }, 'secrets updated');
    } catch (error) {
      // Tried again in a moment: the replica may be gone by then.
      this.#pause();
      this.#context.log.warn({ function: this.#name, instance: id, error: messageOf(error) }, 'secrets not updated');
    }
  }

  async #remove(id: string): Promise<void> {
    const { junctiond, instances, clock, log } = this.#context;
    this.#removing.add(id);
    try {
      await junctiond.delete(id, this.#graceMs);
      this.#secretsWritten.delete(id);
      instances.remove(id);
      this.#removing.delete(id);
      log.info({ function: this.#name, instance: id }, 'replica removed');
      this.trigger();
    } catch (error) {
      log.warn({ function: this.#name, instance: id, error: messageOf(error) }, 'replica not removed yet');
      clock.after(TRANSIENT_PAUSE_MS, () => {
        this.#removing.delete(id);
        this.trigger();
      });
    }
  }

  /** Beside everything else: a scale to zero or a deletion does not wait for a registry. */
  #resolveImage(entry: CatalogEntry): void {
    this.#context.images.resolve(entry.record, {
      onDone: () => this.trigger(),
      onFailed: (error) => {
        // While junctiond is there, "unavailable" is the registry: shown, and tried again after the usual pauses.
        const isTransient = this.#context.hindrance() !== undefined;
        this.#failed(entry, error, 'the image is not ready', isTransient);
        this.trigger();
      },
    });
  }

  /** Counts a failure that the function or the node is to blame for; after any other the same is tried again soon. */
  #failed(entry: CatalogEntry, error: unknown, what: string, isTransient: boolean): void {
    const reason = messageOf(error);
    this.#context.log.warn({ function: this.#name, error: reason }, what);
    if (isTransient) {
      this.#pause();
    } else {
      const atMs = this.#context.clock.nowMs();
      this.#failures.note(entry.record.generation, `${what}: ${reason}`);
      this.#lastFailure = laterFailure(this.#lastFailure, { reason: `${what}: ${reason}`, atMs, instance: '' });
    }
  }

  /** Of all replicas that the function has and had; a function that is deployed anew begins without. */
  #noteLastFailure(entry: CatalogEntry | undefined, views: readonly ReplicaView[]): void {
    if (entry === undefined) {
      this.#lastFailure = undefined;
      return;
    }
    for (const { id, lastFailure } of views) {
      const failure = lastFailure === undefined ? undefined : { ...lastFailure, instance: id };
      this.#lastFailure = laterFailure(this.#lastFailure, failure);
    }
  }

  #pause(): void {
    this.#pausedUntilMs = this.#context.clock.nowMs() + TRANSIENT_PAUSE_MS;
  }

  #views(): ReplicaView[] {
    return this.#context.instances
      .of(this.#name)
      .filter(({ id }) => !this.#removing.has(id))
      .map((replica) => {
        const draining = this.#drains.of(replica.id);
        return {
          ...replica,
          secretsRevision: this.#secretsWritten.get(replica.id),
          ...(draining === undefined ? {} : { draining }),
        };
      });
  }

  #wanted({ record }: CatalogEntry): Wanted {
    const { catalog, hindrance } = this.#context;
    const names = record.spec.secrets?.items ?? [];
    const revisions = names.map((name) => ({ name, revision: catalog.secretRevision(record.namespace, name) ?? 0 }));
    const missing = revisions.filter(({ revision }) => revision === 0).map(({ name }) => name);
    const blocker = blockerOf(missing, hindrance()) ?? this.#imageBlocker(record);
    return {
      generation: record.generation,
      replicas: record.wantedReplicas,
      secretsRevision: missing.length === 0 ? secretsRevisionOf(revisions) : undefined,
      ...(blocker === undefined ? {} : { blocker }),
    };
  }

  #imageBlocker({ imageDigest, generation }: CatalogEntry['record']): Wanted['blocker'] {
    if (imageDigest !== '') {
      return undefined;
    }
    return { reason: this.#failures.reasonOf(generation) ?? 'the image is being fetched', isFault: false };
  }

  /** Answers the version under which gateways see what the plan says. */
  #publish(entry: CatalogEntry | undefined, plan: FunctionPlan, views: readonly ReplicaView[]): bigint {
    const { routes } = this.#context;
    return entry === undefined
      ? routes.remove(this.#name)
      : routes.set(routeOf(this.#key, entry.settings, entry.record.wantedReplicas, plan, views));
  }

  #record(entry: CatalogEntry | undefined, plan: FunctionPlan, views: readonly ReplicaView[]): void {
    const { recorder, node } = this.#context;
    if (entry === undefined) {
      recorder.forget(this.#key);
      return;
    }
    const records = views
      .filter(({ id }) => !plan.remove.includes(id))
      .map(({ id, generation, endpoint, secretsRevision = '' }): ReplicaRecord => ({
        id,
        node,
        generation,
        state: plan.serving.includes(id) ? 'ready' : plan.draining.includes(id) ? 'draining' : 'not-ready',
        secretsRevision,
        ...(endpoint === undefined ? {} : recordedEndpoint(endpoint)),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    recorder.record(this.#key, records);
  }

  #setTimer({ wakeAtMs }: FunctionPlan): void {
    const { clock } = this.#context;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const nowMs = clock.nowMs();
    const times = [wakeAtMs ?? Infinity, this.#pausedUntilMs > nowMs ? this.#pausedUntilMs : Infinity];
    const earliestMs = Math.min(...times);
    if (earliestMs !== Infinity) {
      this.#stopTimer = clock.after(earliestMs - nowMs, () => this.trigger());
    }
  }
}

/** A replica without links says nothing of them in its record, as in those of before there were any. */
function recordedEndpoint({ host, port, linkPath, instanceNumber }: Endpoint): Partial<Endpoint> {
  return linkPath === '' ? { host, port } : { host, port, linkPath, instanceNumber };
}

/** Why no replica can be created just now. */
function blockerOf(missingSecrets: readonly string[], hindrance: string | undefined): Wanted['blocker'] {
  if (missingSecrets.length > 0) {
    return { reason: `secrets that do not exist: ${missingSecrets.join(', ')}`, isFault: true };
  }
  return hindrance === undefined ? undefined : { reason: hindrance, isFault: false };
}

/** junctiond or Redis were away, or slow. */
function isNobodysFault(error: unknown): boolean {
  return (
    hasKind(error) && (error.kind === 'unavailable' || error.kind === 'deadline_exceeded' || error.kind === 'cancelled')
  );
}
