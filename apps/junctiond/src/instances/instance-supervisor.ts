// SPDX-License-Identifier: Apache-2.0
// Takes one instance through its life: applies what happens (a process's end, a port, a timer, a caller) to the state table
// of instance-model and does what the new state asks for. All of it on the event loop; nothing is polled.
import {
  hasProcess,
  type Instance,
  type InstanceEvent,
  type InstanceExit,
  nextInstanceState,
  restartDelayMs,
  type RestartBackoffSettings,
} from '@junctiond/instance-model';

import type { Clock } from '../clock.js';
import { errorText, JunctiondError } from '../junctiond.error.js';
import { decideAfterEnd, type InstanceEnd } from './after-end.js';
import { notListeningReason } from './exit-reason.js';
import type { HostExit, HostProcess, InstanceHost } from './instance-host.js';
import { listenHost, networkOf, type NetworkSettings, plannedNetwork } from './instance-network.js';
import type { InstanceObserver } from './instance-observer.js';
import type { InstanceRecord, ProcessId } from './instance-record.js';

export interface SupervisorParts {
  readonly host: InstanceHost;
  readonly observer: InstanceObserver;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly backoff: RestartBackoffSettings;
  readonly network: NetworkSettings;
}

/** signal(7). */
const SIGTERM = 15;
const SIGKILL = 9;
/** junction_run's own failure. */
const MONITOR_FAILED = 125;
/** junction_run sees the end of a killed guest and records it; who is not done by then is killed as well. */
const MONITOR_GRACE_MS = 2000;
/** A report of a port may have been dropped (its socket full): the control block is looked at once more after this long. */
const SECOND_LOOK_MS = 2000;

/** One process of the instance, from its start to its end. */
interface Run {
  readonly process: HostProcess;
  readonly timers: Set<() => void>;
  /** The core limit that is in force. */
  coreLimit: number;
  cancelDeadline?: () => void;
  cancelKill?: () => void;
  killAtMs: number;
  readonly exited: Promise<void>;
}

export class InstanceSupervisor {
  readonly #parts: SupervisorParts;
  readonly #gone = new AbortController();
  readonly #ports = new Map<number, number>();
  #record: InstanceRecord;
  #guest: ProcessId | undefined;
  #run: Run | undefined;
  #cancelRestart: (() => void) | undefined;
  #deleting: Promise<void> | undefined;

  constructor(record: InstanceRecord, parts: SupervisorParts) {
    this.#record = record;
    this.#parts = parts;
  }

  get record(): InstanceRecord {
    return this.#record;
  }

  get guest(): ProcessId | undefined {
    return this.#guest;
  }

  /** Aborted when the instance is deleted. */
  get goneSignal(): AbortSignal {
    return this.#gone.signal;
  }

  get instance(): Instance {
    const { spec, state, reason, imageDigest, restarts, lastExit, lastFailure } = this.#record;
    const { createdAtMs, startedAtMs, readyAtMs } = this.#record;
    const network = networkOf(this.#record, this.#parts.network);
    const host = listenHost(network);
    return {
      spec,
      state,
      reason,
      imageDigest,
      restarts,
      network,
      ports: [...this.#ports].map(([guestPort, hostPort]) => ({ guestPort, host, hostPort })),
      pid: this.#guest?.pid ?? 0,
      createdAt: new Date(createdAtMs),
      ...(lastExit === undefined ? {} : { lastExit }),
      ...(lastFailure === undefined
        ? {}
        : { lastFailure: { reason: lastFailure.reason, at: new Date(lastFailure.atMs) } }),
      ...(startedAtMs === undefined ? {} : { startedAt: new Date(startedAtMs) }),
      ...(readyAtMs === undefined ? {} : { readyAt: new Date(readyAtMs) }),
    };
  }

  /** Starts it. What fails is in the state and its reason. Throws failed_precondition when it has a process or is being deleted. */
  start(): void {
    const { spec, state, isDeleting } = this.#record;
    if (isDeleting === true) {
      throw new JunctiondError('failed_precondition', `instance ${spec.id} is being deleted`);
    }
    if (nextInstanceState(state, 'start') === undefined) {
      throw new JunctiondError('failed_precondition', `instance ${spec.id} is ${state}`);
    }
    this.#launch(false);
  }

  /** SIGTERM, SIGKILL after the grace period; settles when no process is left. A second call may shorten the grace period. */
  async stop(graceMs: number): Promise<void> {
    const run = this.#run;
    if (run === undefined) {
      this.#cancelRestart?.();
      if (nextInstanceState(this.#record.state, 'stop') !== undefined) {
        this.#apply('stop', { reason: '', failures: 0 });
      }
      return;
    }
    if (this.#record.state === 'stopping') {
      this.#record = { ...this.#record, stopCause: 'asked' };
      this.#save();
    } else {
      this.#apply('stop', { stopCause: 'asked' });
      run.process.signal(SIGTERM);
    }
    this.#killWithin(run, graceMs);
    await run.exited;
  }

  /** Stops it where it runs and removes all that is left of it. Throws failed_precondition when it runs and `force` is not set. */
  async delete(options: { force: boolean; graceMs: number }): Promise<void> {
    const { spec, state } = this.#record;
    if (hasProcess(state) && !options.force) {
      throw new JunctiondError(
        'failed_precondition',
        `instance ${spec.id} is ${state}: stop it first or force its deletion`,
      );
    }
    if (this.#deleting === undefined) {
      this.#record = { ...this.#record, isDeleting: true };
      this.#save();
      // One that fails may be tried again.
      this.#deleting = this.#delete(options.graceMs).catch((error: unknown) => {
        this.#deleting = undefined;
        throw error;
      });
    } else if (this.#run !== undefined) {
      this.#killWithin(this.#run, options.graceMs);
    }
    await this.#deleting;
  }

  /** Changes how many cores it may use at once; `coreLimit` is what the node allows. */
  setCoreLimit(coreLimit: number): void {
    this.#record = { ...this.#record, spec: { ...this.#record.spec, coreLimit } };
    this.#save();
    this.#applyCoreLimit();
    this.#parts.observer.changed(this.instance);
  }

  /** The guest's first process runs. Reports of an earlier run are ignored, here and below. */
  guestStarted(guest: ProcessId, monitorPid: number | undefined): void {
    if (this.#isCurrent(monitorPid)) {
      this.#setGuest(guest);
    }
  }

  guestListens(guestPort: number, hostPort: number, monitorPid: number | undefined): void {
    if (this.#isCurrent(monitorPid)) {
      this.#ports.set(guestPort, hostPort);
      this.#portsChanged();
    }
  }

  guestClosed(guestPort: number, monitorPid: number | undefined): void {
    if (this.#isCurrent(monitorPid) && this.#ports.delete(guestPort)) {
      this.#portsChanged();
    }
  }

  /**
   * Goes on where an earlier junctiond ended. `monitor` is the instance's junction_run, if one was found. Settles when the
   * state is true again; restarts and deletions go on after that.
   */
  async adopt(monitor: ProcessId | undefined): Promise<void> {
    const { host, observer } = this.#parts;
    const { spec, state } = this.#record;
    const process = monitor === undefined ? undefined : host.attach(monitor);
    if (process !== undefined && hasProcess(state)) {
      await this.#adoptRunning(process);
    } else if (hasProcess(state)) {
      await this.#ended({});
    } else if (state === 'backingOff') {
      this.#scheduleRestart(restartDelayMs(this.#record.failures, this.#parts.random(), this.#parts.backoff));
    }
    if (this.#record.isDeleting === true) {
      this.delete({ force: true, graceMs: spec.gracePeriodMs }).catch((cause: unknown) => {
        observer.trouble(`instance ${spec.id} cannot be deleted`, cause);
      });
    }
  }

  /** Lets go of everything without a change for the instance: junctiond ends, the instance goes on. */
  detach(): void {
    this.#cancelRestart?.();
    const run = this.#run;
    this.#run = undefined;
    run?.timers.forEach((cancel) => {
      cancel();
    });
    run?.process.close();
    this.#gone.abort();
  }

  #launch(isRestart: boolean): void {
    this.#cancelRestart?.();
    const { stopCause: _over, ...record } = this.#record;
    this.#record = {
      ...record,
      startedAtMs: this.#parts.clock.now(),
      restarts: record.restarts + (isRestart ? 1 : 0),
      failures: isRestart ? record.failures : 0,
      network: plannedNetwork(record, this.#parts.network),
    };
    this.#apply('start', { reason: '' }, 'byPrepare');
    const { host, observer } = this.#parts;
    try {
      // The record is written before the process is there, so that no process is ever unknown to the next junctiond.
      host.prepare(this.#record);
      this.#watch(host.launch(this.#record));
    } catch (cause) {
      observer.trouble(`instance ${this.#record.spec.id} cannot be started`, cause);
      this.#afterEnd({ failure: errorText(cause), uptimeMs: 0, atMs: this.#parts.clock.now(), output: [] });
      return;
    }
    observer.launched(isRestart);
    this.#armListenDeadline();
  }

  #watch(process: HostProcess): void {
    const exited = process.wait().then(
      (exit) => this.#ended(exit, run),
      (cause: unknown) => {
        this.#parts.observer.trouble(`the end of instance ${this.#record.spec.id} cannot be waited for`, cause);
        return this.#ended({}, run);
      },
    );
    const { coreLimit } = this.#record.spec;
    const run: Run = { process, timers: new Set(), coreLimit, killAtMs: Infinity, exited };
    this.#run = run;
  }

  async #adoptRunning(process: HostProcess): Promise<void> {
    const { host, clock } = this.#parts;
    const { spec, state } = this.#record;
    this.#watch(process);
    const guest = (await host.status(spec.id))?.guest;
    if (guest !== undefined) {
      this.#setGuest(guest);
    }
    if (state === 'stopping' && this.#run !== undefined) {
      process.signal(SIGTERM);
      this.#killWithin(this.#run, spec.gracePeriodMs);
      return;
    }
    this.#lookAtPorts();
    if (state === 'starting') {
      const elapsedMs = clock.now() - (this.#record.startedAtMs ?? clock.now());
      this.#armListenDeadline(Math.max(0, spec.listenDeadlineMs - elapsedMs));
    }
  }

  /** The process is gone: find out how it ended, then what comes next. */
  async #ended(hostExit: HostExit, run?: Run): Promise<void> {
    const { host, observer, clock } = this.#parts;
    const { id } = this.#record.spec;
    run?.timers.forEach((cancel) => {
      cancel();
    });
    run?.process.close();
    const [status, output] = await Promise.all([
      host.status(id).catch((cause: unknown) => {
        observer.trouble(`how instance ${id} ended cannot be read`, cause);
        return undefined;
      }),
      host.lastOutput(this.#record).catch(() => []),
    ]);
    if (run !== undefined && this.#run !== run) {
      return;
    }
    this.#run = undefined;
    this.#guest = undefined;
    this.#ports.clear();
    observer.guestGone(id);
    const exit = status?.exit ?? exitOf(hostExit, clock.now());
    const failure = status?.error ?? (hostExit.exitCode === MONITOR_FAILED ? 'junction_run failed' : undefined);
    const atMs = exit?.at.getTime() ?? clock.now();
    this.#afterEnd({
      uptimeMs: atMs - (this.#record.startedAtMs ?? 0),
      atMs,
      output,
      ...(exit === undefined ? {} : { exit }),
      ...(failure === undefined ? {} : { failure }),
    });
  }

  #afterEnd(end: InstanceEnd): void {
    const { backoff, random } = this.#parts;
    const { event, changes, restartInMs } = decideAfterEnd(this.#record, end, random(), backoff);
    this.#apply(event, changes);
    if (restartInMs !== undefined) {
      this.#scheduleRestart(restartInMs);
    }
  }

  #scheduleRestart(delayMs: number): void {
    this.#cancelRestart = this.#parts.clock.after(delayMs, () => {
      if (this.#record.state === 'backingOff' && this.#record.isDeleting !== true) {
        this.#launch(true);
      }
    });
  }

  #armListenDeadline(deadlineMs = this.#record.spec.listenDeadlineMs): void {
    const run = this.#run;
    if (run === undefined || this.#record.state !== 'starting') {
      return;
    }
    run.cancelDeadline?.();
    const cancelLook = this.#after(run, Math.min(SECOND_LOOK_MS, deadlineMs / 2), () => {
      this.#lookAtPorts();
    });
    const cancelEnd = this.#after(run, deadlineMs, () => {
      this.#lookAtPorts();
      if (this.#record.state === 'starting') {
        void this.#giveUp(run);
      }
    });
    run.cancelDeadline = () => {
      cancelLook();
      cancelEnd();
    };
  }

  /** It did not listen in time. */
  async #giveUp(run: Run): Promise<void> {
    const { spec } = this.#record;
    const output = await this.#parts.host.lastOutput(this.#record).catch(() => []);
    if (this.#run === run && this.#record.state === 'starting') {
      const reason = notListeningReason(spec.servicePort, spec.listenDeadlineMs, [...this.#ports.keys()], output);
      this.#apply('stop', { stopCause: 'notListening', reason });
      this.#killWithin(run, 0);
    }
  }

  /** Kills the guest when the time is over, and its junction_run if that does not end with it. */
  #killWithin(run: Run, graceMs: number): void {
    const atMs = this.#parts.clock.now() + graceMs;
    if (atMs >= run.killAtMs) {
      return;
    }
    run.killAtMs = atMs;
    run.cancelKill?.();
    run.cancelKill = this.#after(run, graceMs, () => {
      const guest = this.#guest === undefined ? undefined : this.#parts.host.attach(this.#guest);
      guest?.signal(SIGKILL);
      guest?.close();
      this.#after(run, guest === undefined ? 0 : MONITOR_GRACE_MS, () => run.process.signal(SIGKILL));
    });
  }

  #after(run: Run, delayMs: number, action: () => void): () => void {
    const cancel = this.#parts.clock.after(delayMs, () => {
      run.timers.delete(cancel);
      action();
    });
    run.timers.add(cancel);
    return () => {
      run.timers.delete(cancel);
      cancel();
    };
  }

  async #delete(graceMs: number): Promise<void> {
    await this.stop(graceMs);
    await this.#parts.host.remove(this.#record);
    this.#parts.observer.deleted(this.instance);
    this.#gone.abort();
  }

  #isCurrent(monitorPid: number | undefined): boolean {
    return this.#run !== undefined && (monitorPid === undefined || monitorPid === this.#run.process.pid);
  }

  #setGuest(guest: ProcessId): void {
    this.#guest = guest;
    this.#applyCoreLimit();
    this.#parts.observer.guestStarted(this.instance, guest);
    this.#parts.observer.changed(this.instance);
  }

  /** A limit that was changed before there was a guest waits for it: its control block comes with it. */
  #applyCoreLimit(): void {
    const run = this.#run;
    const { coreLimit } = this.#record.spec;
    if (run !== undefined && this.#guest !== undefined && run.coreLimit !== coreLimit) {
      this.#parts.host.applyCoreLimit(this.#record);
      run.coreLimit = coreLimit;
    }
  }

  /** Takes the ports from the control block: what reports said may be incomplete. */
  #lookAtPorts(): void {
    this.#parts.host.ports(this.#record).forEach(({ guestPort, hostPort }) => this.#ports.set(guestPort, hostPort));
    this.#portsChanged();
  }

  #portsChanged(): void {
    const { observer, clock } = this.#parts;
    const { state, spec, startedAtMs } = this.#record;
    const isListening = this.#ports.has(spec.servicePort);
    if (isListening && state === 'starting') {
      this.#run?.cancelDeadline?.();
      const nowMs = clock.now();
      this.#apply('listening', { readyAtMs: nowMs });
      observer.ready(nowMs - (startedAtMs ?? nowMs));
    } else if (!isListening && state === 'ready') {
      this.#apply('listenClosed', { reason: `no longer listens on port ${spec.servicePort}` });
      this.#armListenDeadline();
    } else {
      observer.changed(this.instance);
    }
  }

  #apply(event: InstanceEvent, changes: Partial<InstanceRecord>, saving: 'inTurn' | 'byPrepare' = 'inTurn'): void {
    const state = nextInstanceState(this.#record.state, event);
    if (state === undefined) {
      throw new Error(`${event} in state ${this.#record.state} of instance ${this.#record.spec.id}`);
    }
    this.#record = { ...this.#record, ...changes, state };
    this.#parts.observer.changed(this.instance);
    if (saving === 'inTurn') {
      this.#save();
    }
  }

  #save(): void {
    this.#parts.host.save(this.#record).catch((cause: unknown) => {
      this.#parts.observer.trouble(`the record of instance ${this.#record.spec.id} cannot be written`, cause);
    });
  }
}

/** An end of which only the parent's word is known: junction_run was killed. */
function exitOf(exit: HostExit, nowMs: number): InstanceExit | undefined {
  if (exit.exitCode === undefined && exit.signal === undefined) {
    return undefined;
  }
  return { code: exit.exitCode ?? 0, signal: exit.signal ?? 0, outOfMemory: false, at: new Date(nowMs) };
}
