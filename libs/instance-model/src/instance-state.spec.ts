// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import {
  hasProcess,
  INSTANCE_EVENTS,
  INSTANCE_STATES,
  type InstanceEvent,
  type InstanceState,
  nextInstanceState,
} from './instance-state.js';

/** Every exit that exists; all other pairs must have none. */
const EXITS: [InstanceState, InstanceEvent, InstanceState][] = [
  ['created', 'start', 'starting'],
  ['created', 'stop', 'exited'],
  ['starting', 'listening', 'ready'],
  ['starting', 'exitedForRestart', 'backingOff'],
  ['starting', 'exitedForGood', 'exited'],
  ['starting', 'exitedAsFailed', 'failed'],
  ['starting', 'stop', 'stopping'],
  ['ready', 'listenClosed', 'starting'],
  ['ready', 'exitedForRestart', 'backingOff'],
  ['ready', 'exitedForGood', 'exited'],
  ['ready', 'stop', 'stopping'],
  ['stopping', 'exitedForGood', 'exited'],
  ['stopping', 'exitedAsFailed', 'failed'],
  ['stopping', 'exitedForRestart', 'backingOff'],
  ['backingOff', 'start', 'starting'],
  ['backingOff', 'stop', 'exited'],
  ['exited', 'start', 'starting'],
  ['failed', 'start', 'starting'],
];

describe('nextInstanceState', () => {
  it.each(EXITS)('leads from %s by %s to %s', (state, event, expected) => {
    expect(nextInstanceState(state, event)).toBe(expected);
  });

  it('has no other exits', () => {
    const known = new Set(EXITS.map(([state, event]) => `${state} ${event}`));
    const others = INSTANCE_STATES.flatMap((state) => INSTANCE_EVENTS.map((event) => [state, event] as const)).filter(
      ([state, event]) => !known.has(`${state} ${event}`),
    );
    expect(others.length).toBe(INSTANCE_STATES.length * INSTANCE_EVENTS.length - EXITS.length);
    for (const [state, event] of others) {
      expect(nextInstanceState(state, event)).toBeUndefined();
    }
  });

  it('reaches every state from created', () => {
    const reached = new Set<InstanceState>(['created']);
    for (const state of reached) {
      for (const event of INSTANCE_EVENTS) {
        const next = nextInstanceState(state, event);
        if (next !== undefined) reached.add(next);
      }
    }
    expect([...reached].sort()).toEqual([...INSTANCE_STATES].sort());
  });

  it('leaves states with a process only by an exit, a stop or the port', () => {
    for (const state of INSTANCE_STATES.filter(hasProcess)) {
      expect(nextInstanceState(state, 'start')).toBeUndefined();
    }
    expect(INSTANCE_STATES.filter((state) => !hasProcess(state))).toEqual([
      'created',
      'backingOff',
      'exited',
      'failed',
    ]);
  });
});
