// SPDX-License-Identifier: Apache-2.0
// The life cycle of an instance as a pure table. Who causes an event (a process's exit, a timer, a caller) is not known here.
//
//   created --start--> starting --listening--> ready --listenClosed--> starting
//   starting, ready --exitedForRestart--> backingOff --start--> starting
//   starting, ready --exitedForGood--> exited        starting --exitedAsFailed--> failed
//   starting, ready --stop--> stopping --exitedForGood--> exited, --exitedAsFailed--> failed, --exitedForRestart--> backingOff
//   created, backingOff --stop--> exited             exited, failed --start--> starting

export const INSTANCE_STATES = ['created', 'starting', 'ready', 'stopping', 'backingOff', 'exited', 'failed'] as const;

/** Where an instance is in its life; the exits of each state are the rows of INSTANCE_TRANSITIONS. */
export type InstanceState = (typeof INSTANCE_STATES)[number];

export const INSTANCE_EVENTS = [
  'start',
  'listening',
  'listenClosed',
  'exitedForRestart',
  'exitedForGood',
  'exitedAsFailed',
  'stop',
] as const;

/** What can happen to an instance. The three kinds of exit are told apart by the one who knows policy and cause. */
export type InstanceEvent = (typeof INSTANCE_EVENTS)[number];

export const INSTANCE_TRANSITIONS: Readonly<
  Record<InstanceState, Readonly<Partial<Record<InstanceEvent, InstanceState>>>>
> = {
  /** Configured, no process. Exits: a start, or a stop that forbids one. */
  created: { start: 'starting', stop: 'exited' },
  /** A process runs (or is being spawned) and does not listen on the service port. A missed listen deadline is a `stop`. */
  starting: {
    listening: 'ready',
    exitedForRestart: 'backingOff',
    exitedForGood: 'exited',
    exitedAsFailed: 'failed',
    stop: 'stopping',
  },
  /** Listens on its service port. It can close that port again without ending. */
  ready: {
    listenClosed: 'starting',
    exitedForRestart: 'backingOff',
    exitedForGood: 'exited',
    stop: 'stopping',
  },
  /**
   * Told to end; left only when the process is gone. `failed` or `backingOff` where the stop was ours because it did not
   * listen in time: failed if it never did since it was created.
   */
  stopping: { exitedForGood: 'exited', exitedAsFailed: 'failed', exitedForRestart: 'backingOff' },
  /** Ended by itself; its restart is due in a while. */
  backingOff: { start: 'starting', stop: 'exited' },
  /** No process and none planned. */
  exited: { start: 'starting' },
  /** No process: it could not be started or never listened. */
  failed: { start: 'starting' },
};

/** The state after `event`, or undefined where the event has no meaning in `state` (the caller ignores or refuses it). */
export function nextInstanceState(state: InstanceState, event: InstanceEvent): InstanceState | undefined {
  return INSTANCE_TRANSITIONS[state][event];
}

/** True where a host process of the instance exists or may exist. */
export function hasProcess(state: InstanceState): boolean {
  return state === 'starting' || state === 'ready' || state === 'stopping';
}
