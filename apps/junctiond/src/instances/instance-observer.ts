// SPDX-License-Identifier: Apache-2.0
import type { Instance } from '@junctiond/instance-model';

import type { ProcessId } from './instance-record.js';

/** Told of everything that happens to instances; its functions need no `this`. */
export interface InstanceObserver {
  /** Anything that callers see of it is different now. */
  readonly changed: (instance: Instance) => void;
  /** It is gone; this was its last state. */
  readonly deleted: (instance: Instance) => void;
  /** Its process was started. */
  readonly launched: (isRestart: boolean) => void;
  /** It listens, this long after its start. */
  readonly ready: (afterMs: number) => void;
  /** Its first guest process runs, or is gone. */
  readonly guestStarted: (instance: Instance, guest: ProcessId) => void;
  readonly guestGone: (id: string) => void;
  /** Something failed that nobody waits for. */
  readonly trouble: (message: string, cause: unknown) => void;
}
