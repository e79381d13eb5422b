// SPDX-License-Identifier: Apache-2.0
import type { InstanceSpec } from './instance-spec.js';
import type { InstanceState } from './instance-state.js';

/** How a guest's first process ended. */
export interface InstanceExit {
  /** Valid when `signal` is 0. */
  readonly code: number;
  readonly signal: number;
  /** The instance's own memory limit killed it. */
  readonly outOfMemory: boolean;
  readonly at: Date;
}

/** An end that nobody asked for, or a start that did not come off. */
export interface InstanceFailure {
  /** For people. */
  readonly reason: string;
  readonly at: Date;
}

/** A port that the guest listens on and where the host finds it. */
export interface InstancePort {
  readonly guestPort: number;
  readonly host: string;
  readonly hostPort: number;
}

/** The instance's place in the node's ranges: addresses, MAC and host uids all follow from one index. */
export interface InstanceNetwork {
  readonly ip: string;
  readonly ip6: string;
  readonly mac: string;
  readonly queuePairs: number;
  /** Where a process of the node gets a link to its NIC; empty = it has none and uses the host's network. */
  readonly linksPath: string;
  /** In the node's event queue, 1 to 2^24 - 1; 0 = it has no NIC. */
  readonly number: number;
}

/** An instance as it is now. */
export interface Instance {
  readonly spec: InstanceSpec;
  readonly state: InstanceState;
  /** Why it failed, backs off or has exited, for people; empty = nothing to say. */
  readonly reason: string;
  /** `sha256:…` */
  readonly imageDigest: string;
  readonly network: InstanceNetwork;
  readonly ports: readonly InstancePort[];
  /** Host pid of the guest's first process; 0 = none. */
  readonly pid: number;
  readonly restarts: number;
  readonly lastExit?: InstanceExit;
  readonly lastFailure?: InstanceFailure;
  readonly createdAt: Date;
  readonly startedAt?: Date;
  readonly readyAt?: Date;
}

/** Says in a few words how a process ended, for a reason text. */
export function describeExit(exit: InstanceExit): string {
  if (exit.outOfMemory) {
    return 'killed: it reached its memory limit';
  }
  return exit.signal === 0 ? `exited with code ${exit.code}` : `killed by ${signalName(exit.signal)}`;
}

/** Signals that end processes often enough to be named (signal(7), x86-64 numbers). */
const SIGNAL_NAMES: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  31: 'SIGSYS',
};

function signalName(signal: number): string {
  return SIGNAL_NAMES[signal] ?? `signal ${signal}`;
}
