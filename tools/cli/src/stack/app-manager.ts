// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';

import type { AppSpec, AppStatus } from '../supervisor/app-spec.ts';
import type { StackSettings } from './stack-settings.ts';
import { SupervisorManager } from './supervisor-manager.ts';
import { SystemdManager } from './systemd-manager.ts';

/** Who keeps the programs of a stack running: our supervisor, or systemd. */
export interface AppManager {
  readonly kind: 'supervisor' | 'systemd';
  /** Makes these programs what runs; leaves alone what already runs as it should. */
  apply(specs: readonly AppSpec[]): Promise<void>;
  /** Empty when the stack is down. */
  status(): Promise<readonly AppStatus[]>;
  /** Stops these one after the other; answers when they are gone. */
  stop(names: readonly string[]): Promise<void>;
  /** Ends programs that nobody keeps any more, since what kept them was itself killed; the number of them. */
  endAbandoned(): Promise<number>;
  /** Stops what is left, and itself. */
  end(): Promise<void>;
}

/** systemd where it is process 1, else our supervisor. JUNCTION_SUPERVISOR=supervisor|systemd overrides that. */
export function appManager(settings: StackSettings): AppManager {
  const wish = settings.environment['JUNCTION_SUPERVISOR'];
  const isSystemd = wish === undefined ? existsSync('/run/systemd/system') : wish === 'systemd';
  return isSystemd ? new SystemdManager(settings) : new SupervisorManager(settings);
}
