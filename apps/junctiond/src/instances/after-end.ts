// SPDX-License-Identifier: Apache-2.0
// What comes after an instance's end: a pure function of its record and of how it ended.
import {
  countFailure,
  type InstanceEvent,
  type InstanceExit,
  restartDelayMs,
  type RestartBackoffSettings,
} from '@junctiond/instance-model';

import { endedReason, notStartedReason, withRestart } from './exit-reason.js';
import type { InstanceRecord } from './instance-record.js';

export interface InstanceEnd {
  /** Absent: nobody saw how it ended. */
  readonly exit?: InstanceExit;
  /** junction_run itself failed; the guest may never have run. */
  readonly failure?: string;
  readonly uptimeMs: number;
  /** When it was over. */
  readonly atMs: number;
  /** The last lines that it printed. */
  readonly output: readonly string[];
}

export interface AfterEnd {
  readonly event: InstanceEvent;
  readonly changes: Partial<InstanceRecord>;
  /** Set where it is to be started again. */
  readonly restartInMs?: number;
}

/**
 * - told to stop by a caller: exited, whatever the policy;
 * - could not be started, or did not listen in time: failed, unless it was ready once: what worked may work again;
 * - otherwise by the restart policy.
 */
export function decideAfterEnd(
  record: InstanceRecord,
  end: InstanceEnd,
  random: number,
  backoff: RestartBackoffSettings,
): AfterEnd {
  const { spec, state, stopCause, readyAtMs } = record;
  const lastExit = end.exit === undefined ? {} : { lastExit: end.exit };
  const wasTold = state === 'stopping' && stopCause !== 'notListening';
  if (wasTold) {
    return { event: 'exitedForGood', changes: { ...lastExit, reason: '', failures: 0 } };
  }
  const reason = reasonOf(record, end);
  const last = { ...lastExit, lastFailure: { reason, atMs: end.atMs } };
  const neverWorked =
    readyAtMs === undefined && (state === 'stopping' || (state === 'starting' && end.failure !== undefined));
  if (neverWorked || (spec.restart === 'never' && state === 'stopping')) {
    return { event: 'exitedAsFailed', changes: { ...last, reason } };
  }
  if (spec.restart === 'never') {
    return { event: 'exitedForGood', changes: { ...withFailure(end, last, lastExit), reason } };
  }
  // An end that nobody saw (the host was restarted) is not held against the instance.
  const isUnseen = end.exit === undefined && end.failure === undefined;
  const failures = isUnseen ? 1 : countFailure(record.failures, end.uptimeMs, backoff);
  const restartInMs = restartDelayMs(failures, random, backoff);
  return {
    event: 'exitedForRestart',
    changes: { ...last, failures, reason: withRestart(reason, failures, restartInMs) },
    restartInMs,
  };
}

/** A program that is not to be restarted may end by itself with 0: that is no failure. */
function withFailure<L, E>({ exit }: InstanceEnd, last: L, lastExit: E): L | E {
  return exit?.code === 0 && exit.signal === 0 ? lastExit : last;
}

function reasonOf({ state, reason }: InstanceRecord, end: InstanceEnd): string {
  if (state === 'stopping') {
    // Given when it was told to stop because it did not listen.
    return reason;
  }
  return end.failure === undefined
    ? endedReason(end.exit, end.uptimeMs, end.output)
    : notStartedReason(end.failure, end.output);
}
