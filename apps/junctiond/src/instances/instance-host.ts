// SPDX-License-Identifier: Apache-2.0
// What a supervisor needs of the host, as a port: the life cycle is tested without one.
import type { GuestProcess, InstanceRecord, ProcessId } from './instance-record.js';
import type { InstanceStatus } from './status-file.js';

/** How a process of the host ended; nothing is known of one that was not our child. */
export interface HostExit {
  readonly exitCode?: number;
  readonly signal?: number;
}

/** A process that is held so that it cannot be taken for another one. */
export interface HostProcess {
  readonly pid: number;
  readonly startTimeTicks: bigint;
  wait(): Promise<HostExit>;
  /** False when it is gone. */
  signal(signal: number): boolean;
  /** Gives it up; a pending `wait` never settles. */
  close(): void;
}

export interface UprocLaunch {
  readonly process: HostProcess;
  /** Removes what it needed for its start only. */
  started(): void;
}

/** A TCP port on which the guest listens. */
export interface ListeningPort {
  readonly guestPort: number;
  readonly hostPort: number;
}

export interface InstanceHost {
  /** Writes the record; calls for one instance take effect in order. */
  save(record: InstanceRecord): Promise<void>;
  /**
   * Makes all that a start needs (folders, cgroup, secrets, configuration) and writes the record, at once: a start is short
   * and is not to be cut into pieces that wait for each other's turn. Any number of times.
   */
  prepare(record: InstanceRecord): void;
  /** Starts junction_run. Throws when it cannot be started. */
  launch(record: InstanceRecord): HostProcess;
  /** Starts the junction_run of a further program in the running instance. Throws when it cannot be started. */
  launchUproc(record: InstanceRecord, guest: GuestProcess): UprocLaunch;
  /** Undefined when that process is gone. */
  attach(id: ProcessId): HostProcess | undefined;
  /** What junction_run recorded; undefined when it has not yet. */
  status(id: string): Promise<InstanceStatus | undefined>;
  /** The last lines that the guest printed since its start, oldest first. */
  lastOutput(record: InstanceRecord): Promise<string[]>;
  /** The ports of a running instance, as its control block says. */
  ports(record: InstanceRecord): ListeningPort[];
  /** Puts the record's core limit into force for a running instance. */
  applyCoreLimit(record: InstanceRecord): void;
  /** Removes all that `prepare` and `launch` made. */
  remove(record: InstanceRecord): Promise<void>;
}
