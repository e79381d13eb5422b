// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import {
  type Draining,
  type FunctionPlan,
  type FunctionView,
  planFunction,
  type ReplicaView,
} from './function-plan.js';
import { CURRENT, NOW_MS, OLD, replica, view } from './plan.fixture.js';

const RELEASED: Draining = { deadlineMs: NOW_MS + 30_000, isReleased: true };
const BUSY: Draining = { deadlineMs: NOW_MS + 30_000, isReleased: false };
const OVERDUE: Draining = { deadlineMs: NOW_MS, isReleased: false };
const PAUSED = { generation: CURRENT, count: 1, reason: 'it never listened', retryAtMs: NOW_MS + 5_000, counted: [] };
const RETRY_DUE = { ...PAUSED, retryAtMs: NOW_MS };

const NOTHING: FunctionPlan = {
  create: 0,
  serving: [],
  draining: [],
  remove: [],
  refreshSecrets: [],
  wakeAtMs: undefined,
  reason: '',
  failure: '',
};

describe('planFunction: a function that is wanted', () => {
  it('creates all replicas of a new function', () => {
    expect(planFunction(view([], { replicas: 3 }))).toEqual({ ...NOTHING, create: 3 });
  });

  it('leaves a function alone that is as it should be', () => {
    expect(planFunction(view([replica('a'), replica('b')], { replicas: 2 }))).toEqual({
      ...NOTHING,
      serving: ['a', 'b'],
    });
  });

  it('waits for a replica that is starting', () => {
    expect(planFunction(view([replica('a', { phase: 'starting' })], {}))).toEqual(NOTHING);
  });

  it('routes to the replicas that are ready while others start', () => {
    const plan = planFunction(view([replica('a'), replica('b', { phase: 'starting' })], { replicas: 2 }));
    expect(plan).toEqual({ ...NOTHING, serving: ['a'] });
  });

  it('replaces a replica that is lost', () => {
    expect(planFunction(view([replica('a')], { replicas: 2 }))).toEqual({ ...NOTHING, serving: ['a'], create: 1 });
  });

  it('replaces a replica that somebody stopped, and forgets it', () => {
    expect(planFunction(view([replica('a', { phase: 'exited' })], {}))).toEqual({
      ...NOTHING,
      create: 1,
      remove: ['a'],
    });
  });

  it('replaces a replica that somebody is stopping, and lets it be stopped', () => {
    expect(planFunction(view([replica('a', { phase: 'stopping' })], {}))).toEqual({ ...NOTHING, create: 1 });
  });

  it('creates nothing at zero, and no request is refused there', () => {
    expect(planFunction(view([], { replicas: 0 }))).toEqual(NOTHING);
  });
});

describe('planFunction: scaling', () => {
  it('creates what is missing', () => {
    expect(planFunction(view([replica('a')], { replicas: 4 }))).toMatchObject({ create: 3, serving: ['a'] });
  });

  it('drains the youngest replicas first', () => {
    const replicas = [
      replica('b', { createdAtMs: 2 }),
      replica('a', { createdAtMs: 1 }),
      replica('c', { createdAtMs: 3 }),
    ];
    expect(planFunction(view(replicas, { replicas: 1 }))).toMatchObject({ serving: ['a'], draining: ['b', 'c'] });
  });

  it('prefers replicas that serve over those that do not, whatever their age', () => {
    const replicas = [
      replica('starting', { phase: 'starting', createdAtMs: 1 }),
      replica('restarting', { phase: 'restarting', createdAtMs: 2 }),
      replica('ready', { createdAtMs: 3 }),
    ];
    expect(planFunction(view(replicas, { replicas: 1 }))).toEqual({
      ...NOTHING,
      serving: ['ready'],
      remove: ['starting', 'restarting'],
    });
  });

  it('removes a replica at once that never got requests', () => {
    const replicas = [replica('a'), replica('b', { phase: 'starting' })];
    expect(planFunction(view(replicas, {}))).toEqual({ ...NOTHING, serving: ['a'], remove: ['b'] });
  });

  it('drains all replicas for zero', () => {
    expect(planFunction(view([replica('a'), replica('b')], { replicas: 0 }))).toMatchObject({
      serving: [],
      draining: ['a', 'b'],
      create: 0,
    });
  });

  it('keeps a draining replica until it is released', () => {
    const replicas = [replica('a'), replica('b', { draining: BUSY })];
    expect(planFunction(view(replicas, {}))).toEqual({
      ...NOTHING,
      serving: ['a'],
      draining: ['b'],
      wakeAtMs: BUSY.deadlineMs,
    });
  });

  it.each([
    ['it is released', RELEASED],
    ['its time is up', OVERDUE],
  ])('removes a draining replica when %s', (_why, draining) => {
    const replicas = [replica('a'), replica('b', { draining })];
    expect(planFunction(view(replicas, {}))).toEqual({ ...NOTHING, serving: ['a'], remove: ['b'] });
  });

  it('takes a draining replica back rather than starting a new one', () => {
    const replicas = [replica('a'), replica('b', { draining: BUSY })];
    expect(planFunction(view(replicas, { replicas: 2 }))).toEqual({ ...NOTHING, serving: ['a', 'b'] });
  });

  it('goes on draining the replica that drains already', () => {
    const replicas = [replica('a', { draining: BUSY, createdAtMs: 1 }), replica('b', { createdAtMs: 2 })];
    expect(planFunction(view(replicas, {}))).toMatchObject({ serving: ['b'], draining: ['a'] });
  });

  it('removes a draining replica that stops listening', () => {
    const replicas = [replica('a'), replica('b', { phase: 'restarting', draining: BUSY })];
    expect(planFunction(view(replicas, {}))).toEqual({ ...NOTHING, serving: ['a'], remove: ['b'] });
  });
});

describe('planFunction: update', () => {
  const old = (id: string, more: Partial<ReplicaView> = {}): ReplicaView => replica(id, { generation: OLD, ...more });

  it('starts the new replicas while the old ones serve', () => {
    expect(planFunction(view([old('a'), old('b')], { replicas: 2 }))).toEqual({
      ...NOTHING,
      serving: ['a', 'b'],
      create: 2,
    });
  });

  it('serves from the old replicas alone until all new ones are ready', () => {
    const replicas = [old('a'), replica('n1'), replica('n2', { phase: 'starting' })];
    expect(planFunction(view(replicas, { replicas: 2 }))).toEqual({ ...NOTHING, serving: ['a'] });
  });

  it('switches in one step when all new replicas are ready', () => {
    const replicas = [old('a'), old('b'), replica('n1'), replica('n2')];
    expect(planFunction(view(replicas, { replicas: 2 }))).toEqual({
      ...NOTHING,
      serving: ['n1', 'n2'],
      draining: ['a', 'b'],
    });
  });

  it('removes old replicas as they are released', () => {
    const replicas = [old('a', { draining: RELEASED }), old('b', { draining: BUSY }), replica('n1')];
    expect(planFunction(view(replicas, {}))).toMatchObject({ serving: ['n1'], draining: ['b'], remove: ['a'] });
  });

  it('does not go back to an old replica that drains when a new one crashes', () => {
    const replicas = [old('a', { draining: BUSY }), replica('n1', { phase: 'restarting', wasReady: true })];
    expect(planFunction(view(replicas, {}))).toMatchObject({ serving: [], draining: ['a'] });
  });

  it('serves from those new replicas that are ready when no old one is', () => {
    const replicas = [old('a', { phase: 'failed' }), replica('n1'), replica('n2', { phase: 'starting' })];
    expect(planFunction(view(replicas, { replicas: 2 }))).toEqual({ ...NOTHING, serving: ['n1'], remove: ['a'] });
  });

  it('removes old replicas that never became ready at once', () => {
    const replicas = [
      old('a', { phase: 'starting' }),
      old('b', { phase: 'restarting' }),
      old('c', { phase: 'exited' }),
    ];
    expect(planFunction(view(replicas, {}))).toEqual({ ...NOTHING, create: 1, remove: ['a', 'b', 'c'] });
  });

  it.each(['starting', 'restarting'] as const)('keeps an old replica that is %s again until the switch', (phase) => {
    const before = [old('a', { phase, wasReady: true }), replica('n1', { phase: 'starting' })];
    expect(planFunction(view(before, {})).remove).toEqual([]);
    const after = [old('a', { phase, wasReady: true }), replica('n1')];
    expect(planFunction(view(after, {})).remove).toEqual(['a']);
  });

  it('goes straight from one update to the next', () => {
    const replicas = [old('a'), old('b', { generation: OLD + 1, phase: 'starting' })];
    expect(planFunction(view(replicas, {}))).toMatchObject({ serving: ['a'], remove: ['b'], create: 1 });
  });

  it('lets the old replicas serve while the new ones fail, and says why', () => {
    const replicas = [old('a'), replica('n1', { phase: 'failed' })];
    expect(planFunction(view(replicas, {}, { failures: PAUSED }))).toEqual({
      ...NOTHING,
      serving: ['a'],
      reason: 'it never listened',
      wakeAtMs: PAUSED.retryAtMs,
    });
  });

  it('drops the old replicas of a function that is updated at zero', () => {
    expect(planFunction(view([old('a')], { replicas: 0 }))).toMatchObject({ draining: ['a'], create: 0 });
  });
});

describe('planFunction: replicas that fail', () => {
  it('keeps the newest failed replica as evidence during the pause', () => {
    const replicas = [
      replica('a', { phase: 'failed', createdAtMs: 1 }),
      replica('b', { phase: 'failed', createdAtMs: 2 }),
    ];
    expect(planFunction(view(replicas, {}, { failures: PAUSED }))).toEqual({
      ...NOTHING,
      remove: ['a'],
      reason: 'it never listened',
      failure: 'it never listened',
      wakeAtMs: PAUSED.retryAtMs,
    });
  });

  it('tries one replica after the pause, not all', () => {
    const replicas = [replica('a', { phase: 'failed' })];
    expect(planFunction(view(replicas, { replicas: 5 }, { failures: RETRY_DUE }))).toMatchObject({
      create: 1,
      remove: ['a'],
      failure: 'it never listened',
    });
  });

  it.each([
    ['after a failure', {}, { failures: RETRY_DUE }, 'it never listened'],
    ['after a crash', { restarts: 1, reason: 'exited with 1' }, {}, 'exited with 1'],
  ])('does not let requests wait for a start %s, lest each waits in vain', (_when, facts, more, failure) => {
    const replicas = [replica('a', { phase: 'starting', ...facts })];
    expect(planFunction(view(replicas, {}, more)).failure).toBe(failure);
  });

  it('starts no second one while the one tried is starting', () => {
    const replicas = [replica('a', { phase: 'starting' })];
    expect(planFunction(view(replicas, { replicas: 5 }, { failures: RETRY_DUE })).create).toBe(0);
  });

  it('goes on with the next one when the one tried is ready', () => {
    expect(planFunction(view([replica('a')], { replicas: 5 }, { failures: RETRY_DUE })).create).toBe(1);
  });

  it('does not mind failures of an earlier generation', () => {
    const failures = { ...PAUSED, generation: OLD };
    expect(planFunction(view([], { replicas: 2 }, { failures }))).toEqual({ ...NOTHING, create: 2 });
  });

  it('removes failed replicas that nobody wants', () => {
    const replicas = [replica('a', { phase: 'failed' })];
    expect(planFunction(view(replicas, { replicas: 0 }, { failures: PAUSED }))).toEqual({ ...NOTHING, remove: ['a'] });
  });

  it('lets requests wait for a replica that served before and is being restarted', () => {
    const replicas = [replica('a', { phase: 'restarting', wasReady: true, restarts: 2, reason: 'exited with 1' })];
    expect(planFunction(view(replicas, {}))).toEqual({ ...NOTHING, reason: 'exited with 1' });
  });

  it('refuses requests when the only replica ended before it served', () => {
    const replicas = [replica('a', { phase: 'restarting', reason: 'exited with 1', wasReady: false, restarts: 1 })];
    expect(planFunction(view(replicas, {}))).toEqual({ ...NOTHING, reason: 'exited with 1', failure: 'exited with 1' });
  });

  it('refuses nothing while a replica serves, and shows the trouble of the other', () => {
    const replicas = [replica('a'), replica('b', { phase: 'restarting', reason: 'exited with 1' })];
    expect(planFunction(view(replicas, { replicas: 2 }))).toEqual({
      ...NOTHING,
      serving: ['a'],
      reason: 'exited with 1',
    });
  });

  it('has words for a failure without any', () => {
    const replicas = [replica('a', { phase: 'restarting' })];
    expect(planFunction(view(replicas, {})).failure).toBe('its replicas do not start');
  });
});

describe('planFunction: what blocks creation', () => {
  const OUTAGE = { reason: 'junctiond is not available', isFault: false };
  const NO_SECRET = { reason: 'secrets that do not exist: s', isFault: true };

  it('creates nothing during an outage, says so, and lets requests wait', () => {
    expect(planFunction(view([], { blocker: OUTAGE }))).toEqual({ ...NOTHING, reason: OUTAGE.reason });
  });

  it('refuses requests when something is missing that only the user can mend', () => {
    expect(planFunction(view([], { blocker: NO_SECRET }))).toEqual({
      ...NOTHING,
      reason: NO_SECRET.reason,
      failure: NO_SECRET.reason,
    });
  });

  it('does not mind a blocker when nothing has to be created', () => {
    expect(planFunction(view([replica('a')], { blocker: NO_SECRET }))).toEqual({ ...NOTHING, serving: ['a'] });
    expect(planFunction(view([], { blocker: NO_SECRET, replicas: 0 }))).toEqual(NOTHING);
  });

  it('goes on serving from old replicas when an update is blocked', () => {
    const replicas = [replica('a', { generation: OLD })];
    expect(planFunction(view(replicas, { blocker: NO_SECRET }))).toEqual({
      ...NOTHING,
      serving: ['a'],
      reason: NO_SECRET.reason,
    });
  });
});

describe('planFunction: secrets', () => {
  it('refreshes replicas that hold others than the wanted ones', () => {
    const replicas = [
      replica('fresh'),
      replica('stale', { secretsRevision: 's@0' }),
      replica('unknown', { secretsRevision: undefined, phase: 'starting' }),
    ];
    expect(planFunction(view(replicas, { replicas: 3 })).refreshSecrets).toEqual(['stale', 'unknown']);
  });

  it('leaves replicas alone that are going, and those of another generation', () => {
    const replicas = [
      replica('a'),
      replica('surplus', { secretsRevision: 's@0', draining: BUSY, createdAtMs: 9 }),
      replica('old', { secretsRevision: 's@0', generation: OLD, draining: BUSY }),
    ];
    expect(planFunction(view(replicas, {})).refreshSecrets).toEqual([]);
  });

  it('leaves replicas alone while a secret is missing', () => {
    expect(planFunction(view([replica('a')], { secretsRevision: undefined })).refreshSecrets).toEqual([]);
  });
});

describe('planFunction: a function that is gone', () => {
  it('drains what served and removes everything else at once', () => {
    const replicas = [
      replica('ready'),
      replica('starting', { phase: 'starting' }),
      replica('restarting', { phase: 'restarting' }),
      replica('failed', { phase: 'failed' }),
      replica('exited', { phase: 'exited' }),
      replica('stopping', { phase: 'stopping' }),
    ];
    expect(planFunction(view(replicas, undefined))).toEqual({
      ...NOTHING,
      draining: ['ready'],
      remove: ['starting', 'restarting', 'failed', 'exited', 'stopping'],
    });
  });

  it('removes drained replicas', () => {
    const replicas = [replica('a', { draining: RELEASED }), replica('b', { draining: BUSY })];
    expect(planFunction(view(replicas, undefined))).toMatchObject({
      draining: ['b'],
      remove: ['a'],
      wakeAtMs: BUSY.deadlineMs,
    });
  });
});

/** A small deterministic generator (a linear congruential one, Numerical Recipes' constants). */
function makeRandom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

function randomView(random: (bound: number) => number): FunctionView {
  const phases = ['starting', 'ready', 'restarting', 'stopping', 'exited', 'failed'] as const;
  const drains = [undefined, undefined, BUSY, RELEASED, OVERDUE];
  const replicas = Array.from({ length: random(7) }, (_, index) => {
    const draining = drains[random(drains.length)];
    return replica(`r${index}`, {
      phase: phases[random(phases.length)]!,
      generation: random(2) === 0 ? CURRENT : OLD,
      createdAtMs: random(5),
      wasReady: random(2) === 0,
      restarts: random(5),
      ...(draining === undefined ? {} : { draining }),
    });
  });
  const failures = [undefined, PAUSED, RETRY_DUE][random(3)];
  const blocker = [undefined, undefined, { reason: 'blocked', isFault: random(2) === 0 }][random(3)];
  const wanted = random(6) === 0 ? undefined : { replicas: random(4), ...(blocker === undefined ? {} : { blocker }) };
  return view(replicas, wanted, { failures });
}

describe('planFunction: whatever there is', () => {
  const views = Array.from({ length: 5_000 }, (_, seed) => ({ seed, input: randomView(makeRandom(seed + 1)) }));

  it('gives each replica one role at most', () => {
    for (const { seed, input } of views) {
      const { serving, draining, remove } = planFunction(input);
      const all = [...serving, ...draining, ...remove];
      expect({ seed, size: new Set(all).size }).toEqual({ seed, size: all.length });
    }
  });

  it('sends requests only to ready replicas', () => {
    for (const { seed, input } of views) {
      const routed = new Set([...planFunction(input).serving, ...planFunction(input).draining]);
      const bad = input.replicas.filter(({ id, phase }) => routed.has(id) && phase !== 'ready');
      expect({ seed, bad }).toEqual({ seed, bad: [] });
    }
  });

  it('never removes a ready replica that has not drained', () => {
    for (const { seed, input } of views) {
      const removed = new Set(planFunction(input).remove);
      const bad = input.replicas.filter(
        ({ id, phase, draining }) =>
          removed.has(id) && phase === 'ready' && (draining === undefined || draining === BUSY),
      );
      expect({ seed, bad }).toEqual({ seed, bad: [] });
    }
  });

  it('always has a serving replica when a ready one of the wanted generation is there', () => {
    for (const { seed, input } of views) {
      const hasReady = input.replicas.some(({ phase, generation }) => phase === 'ready' && generation === CURRENT);
      if (hasReady && (input.wanted?.replicas ?? 0) > 0) {
        expect({ seed, serves: planFunction(input).serving.length > 0 }).toEqual({ seed, serves: true });
      }
    }
  });

  it('never has more replicas of the wanted generation than wanted', () => {
    for (const { seed, input } of views) {
      const { create, remove, draining } = planFunction(input);
      const going = new Set([...remove, ...draining]);
      const staying = input.replicas.filter(
        ({ id, generation, phase }) =>
          generation === CURRENT &&
          !going.has(id) &&
          (phase === 'ready' || phase === 'starting' || phase === 'restarting'),
      );
      expect({ seed, isFine: staying.length + create <= (input.wanted?.replicas ?? 0) }).toEqual({
        seed,
        isFine: true,
      });
    }
  });

  it('names a failure only where nothing serves', () => {
    for (const { seed, input } of views) {
      const { failure, serving } = planFunction(input);
      if (failure !== '') {
        expect({ seed, serving }).toEqual({ seed, serving: [] });
      }
    }
  });

  it('gives the same plan for the same view in another order', () => {
    for (const { seed, input } of views) {
      const sets = (plan: FunctionPlan): unknown => ({
        create: plan.create,
        serving: [...plan.serving].sort(),
        draining: [...plan.draining].sort(),
        remove: [...plan.remove].sort(),
      });
      const reversed = { ...input, replicas: [...input.replicas].reverse() };
      expect({ seed, plan: sets(planFunction(reversed)) }).toEqual({ seed, plan: sets(planFunction(input)) });
    }
  });

  it('comes to rest: carried out again and again it ends with what is wanted', () => {
    for (const { seed, input } of views) {
      if (input.wanted?.blocker !== undefined || input.failures !== undefined) {
        continue;
      }
      let replicas: readonly ReplicaView[] = input.replicas;
      for (let round = 0; round < 20; round += 1) {
        const plan = planFunction({ ...input, replicas });
        const created = Array.from({ length: plan.create }, (_, index) => replica(`n${round}-${index}`));
        replicas = [
          ...replicas
            .filter(({ id, phase }) => !plan.remove.includes(id) && phase !== 'stopping')
            .map(({ draining: _draining, ...rest }) => ({
              ...rest,
              ...(rest.phase === 'starting' || rest.phase === 'restarting'
                ? { phase: 'ready' as const, wasReady: true }
                : {}),
              ...(plan.draining.includes(rest.id) ? { draining: RELEASED } : {}),
            })),
          ...created,
        ];
      }
      const last = planFunction({ ...input, replicas });
      expect({ seed, ...last, serving: last.serving.length }).toEqual({
        seed,
        ...NOTHING,
        serving: input.wanted?.replicas ?? 0,
      });
    }
  });
});
