// SPDX-License-Identifier: Apache-2.0
import type { Instance } from '@junctiond/instance-model';

import type { ProcessId } from './instance-record.js';

/** Told of everything that happens to an instance. */
export interface InstanceObserver {
  /** Anything that callers see of it is different now. */
  changed(instance: Instance): void;
  /** It is gone; this was its last state. */
  deleted(instance: Instance): void;
  /** Its process was started. */
  launched(isRestart: boolean): void;
  /** It listens, this long after its start. */
  ready(afterMs: number): void;
  /** Its first guest process runs, or is gone. */
  guestStarted(instance: Instance, guest: ProcessId): void;
  guestGone(id: string): void;
  /** Something failed that nobody waits for. */
  trouble(message: string, cause: unknown): void;
}
