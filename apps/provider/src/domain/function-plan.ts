// SPDX-License-Identifier: Apache-2.0
// What is to be done for one function: a pure function of what is wanted and what there is. Whoever calls it carries the
// plan out and calls again with what came of it, until there is nothing left to do; nothing in a plan needs the one before.
import type { FailureLog } from './failure-log.js';
import type { Replica } from './replica.js';

/** What should be. */
export interface Wanted {
  readonly generation: number;
  readonly replicas: number;
  /** Names and revisions of the secrets that its replicas should hold; undefined = those they have. */
  readonly secretsRevision: string | undefined;
  /** Why no replica can be created just now; `isFault`: by the user's or the node's fault, so requests need not wait. */
  readonly blocker?: { readonly reason: string; readonly isFault: boolean };
}

/** Finishes its requests before it is removed. */
export interface Draining {
  /** Removed then, whatever is still in flight. */
  readonly deadlineMs: number;
  /** No gateway uses it any more. */
  readonly isReleased: boolean;
}

export interface ReplicaView extends Replica {
  /** Which secrets were last written into it; undefined = not known. */
  readonly secretsRevision: string | undefined;
  /** Set once a plan has told it to drain and the routes say so. */
  readonly draining?: Draining;
}

export interface FunctionView {
  /** Undefined: the function does not exist; its replicas must go. */
  readonly wanted: Wanted | undefined;
  /** All but those that are being removed. */
  readonly replicas: readonly ReplicaView[];
  readonly failures: FailureLog | undefined;
  readonly nowMs: number;
}

export interface FunctionPlan {
  /** How many new replicas of the wanted generation to create now. */
  readonly create: number;
  /** Get requests. */
  readonly serving: readonly string[];
  /** Get no new requests; removed in a later plan, when released or at their deadline. */
  readonly draining: readonly string[];
  /** To be deleted now. */
  readonly remove: readonly string[];
  /** To get the wanted secrets written. */
  readonly refreshSecrets: readonly string[];
  /** When to plan again, even if nothing happens before. */
  readonly wakeAtMs: number | undefined;
  /** Why fewer replicas serve than are wanted, or an update does not come through; empty = no trouble. */
  readonly reason: string;
  /** Why requests should be refused rather than wait for a replica; empty = they may wait. */
  readonly failure: string;
}

type Role = 'serving' | 'draining' | 'remove' | 'standby';

export function planFunction(view: FunctionView): FunctionPlan {
  return view.wanted === undefined ? planRemoval(view) : planWanted(view, view.wanted);
}

/** The function is gone: what served finishes its requests, all else goes at once. */
function planRemoval({ replicas, nowMs }: FunctionView): FunctionPlan {
  const roles = new Map<string, Role>();
  for (const replica of replicas) {
    roles.set(replica.id, replica.phase === 'ready' ? drainOrRemove(replica, nowMs) : 'remove');
  }
  return assemble(replicas, roles, { create: 0, refreshSecrets: [], reason: '', failure: '', wakeAtMs: undefined });
}

function planWanted(view: FunctionView, wanted: Wanted): FunctionPlan {
  const { replicas, nowMs } = view;
  const failures = view.failures?.generation === wanted.generation ? view.failures : undefined;
  const current = replicas.filter(({ generation }) => generation === wanted.generation);
  const old = replicas.filter(({ generation }) => generation !== wanted.generation);
  const alive = current.filter(isAlive).sort(byWorthKeeping);
  const kept = alive.slice(0, wanted.replicas);
  const ready = kept.filter(isReady);
  const isComplete = ready.length >= wanted.replicas;
  const isPaused = failures !== undefined && nowMs < failures.retryAtMs;
  // Old replicas that already drain do not come back: a request must not meet the old version after the new one.
  const oldServing = isComplete ? [] : old.filter((replica) => isReady(replica) && replica.draining === undefined);

  const roles = new Map<string, Role>();
  for (const replica of kept) {
    roles.set(replica.id, isReady(replica) && oldServing.length === 0 ? 'serving' : 'standby');
  }
  for (const replica of alive.slice(wanted.replicas)) {
    roles.set(replica.id, isReady(replica) ? drainOrRemove(replica, nowMs) : 'remove');
  }
  for (const replica of old) {
    roles.set(replica.id, roleOfOld(replica, isComplete, nowMs));
  }
  const missing = wanted.replicas - kept.length;
  const evidence = isPaused && missing > 0 ? newestFailed(current) : undefined;
  for (const replica of current) {
    if (replica.phase === 'failed' || replica.phase === 'exited') {
      roles.set(replica.id, replica === evidence ? 'standby' : 'remove');
    }
  }

  const create = replicasToCreate(missing, kept, wanted, failures, isPaused);
  const reason = isComplete ? '' : reasonOf(kept, wanted, failures);
  const hasServing = [...roles.values()].includes('serving') || oldServing.length > 0;
  return assemble(replicas, roles, {
    create,
    refreshSecrets: kept
      .filter(
        ({ secretsRevision }) => wanted.secretsRevision !== undefined && secretsRevision !== wanted.secretsRevision,
      )
      .map(({ id }) => id),
    reason,
    failure: hasServing || isComplete ? '' : failureOf(kept, create, wanted, failures),
    wakeAtMs: missing > 0 && isPaused ? failures.retryAtMs : undefined,
  });
}

/** While an update is under way the old replicas serve, and one that is just being restarted may come back. */
function roleOfOld(replica: ReplicaView, isComplete: boolean, nowMs: number): Role {
  if (isReady(replica)) {
    return isComplete || replica.draining !== undefined ? drainOrRemove(replica, nowMs) : 'serving';
  }
  const mayComeBack = (replica.phase === 'starting' || replica.phase === 'restarting') && replica.wasReady;
  return !isComplete && mayComeBack && replica.draining === undefined ? 'standby' : 'remove';
}

/** After failures one replica at a time is tried, so that a broken image does not fill the node again and again. */
function replicasToCreate(
  missing: number,
  kept: readonly ReplicaView[],
  wanted: Wanted,
  failures: FailureLog | undefined,
  isPaused: boolean,
): number {
  if (missing <= 0 || wanted.blocker !== undefined || isPaused) {
    return 0;
  }
  if (failures === undefined) {
    return missing;
  }
  return kept.some((replica) => !isReady(replica)) ? 0 : 1;
}

function reasonOf(kept: readonly ReplicaView[], wanted: Wanted, failures: FailureLog | undefined): string {
  if (wanted.blocker !== undefined && kept.length < wanted.replicas) {
    return wanted.blocker.reason;
  }
  const restarting = kept.find(({ phase, reason }) => phase === 'restarting' && reason !== '');
  if (restarting !== undefined) {
    return restarting.reason;
  }
  return failures?.reason ?? '';
}

/** No replica serves: is it worth a request's while to wait? Not for what has failed just before. */
function failureOf(
  kept: readonly ReplicaView[],
  create: number,
  wanted: Wanted,
  failures: FailureLog | undefined,
): string {
  const mayServeSoon =
    (failures === undefined && create > 0) ||
    kept.some(
      ({ phase, wasReady, restarts }) => wasReady || (phase === 'starting' && restarts === 0 && failures === undefined),
    );
  if (mayServeSoon) {
    return '';
  }
  const reason = kept.find((replica) => replica.reason !== '')?.reason ?? failures?.reason;
  if (reason === undefined && wanted.blocker?.isFault === false) {
    return '';
  }
  return reason ?? wanted.blocker?.reason ?? 'its replicas do not start';
}

function assemble(
  replicas: readonly ReplicaView[],
  roles: ReadonlyMap<string, Role>,
  rest: Pick<FunctionPlan, 'create' | 'refreshSecrets' | 'reason' | 'failure' | 'wakeAtMs'>,
): FunctionPlan {
  const inRole = (role: Role): string[] => replicas.filter(({ id }) => roles.get(id) === role).map(({ id }) => id);
  const draining = inRole('draining');
  const wakeUps = replicas.flatMap((replica) =>
    roles.get(replica.id) === 'draining' && replica.draining !== undefined ? [replica.draining.deadlineMs] : [],
  );
  if (rest.wakeAtMs !== undefined) {
    wakeUps.push(rest.wakeAtMs);
  }
  return {
    ...rest,
    serving: inRole('serving'),
    draining,
    remove: inRole('remove'),
    wakeAtMs: wakeUps.length === 0 ? undefined : Math.min(...wakeUps),
  };
}

function drainOrRemove({ draining }: ReplicaView, nowMs: number): Role {
  return draining !== undefined && (draining.isReleased || nowMs >= draining.deadlineMs) ? 'remove' : 'draining';
}

function isReady({ phase }: Replica): boolean {
  return phase === 'ready';
}

function isAlive({ phase }: Replica): boolean {
  return phase === 'ready' || phase === 'starting' || phase === 'restarting';
}

function newestFailed(replicas: readonly ReplicaView[]): ReplicaView | undefined {
  return replicas
    .filter(({ phase }) => phase === 'failed')
    .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1))[0];
}

const PHASE_ORDER: Readonly<Record<Replica['phase'], number>> = {
  ready: 0,
  starting: 1,
  restarting: 2,
  stopping: 3,
  exited: 4,
  failed: 5,
};

/** Ready before starting before restarting, serving before draining, old before young: always the same choice. */
function byWorthKeeping(a: ReplicaView, b: ReplicaView): number {
  return (
    PHASE_ORDER[a.phase] - PHASE_ORDER[b.phase] ||
    Number(a.draining !== undefined) - Number(b.draining !== undefined) ||
    a.createdAtMs - b.createdAtMs ||
    (a.id < b.id ? -1 : 1)
  );
}
