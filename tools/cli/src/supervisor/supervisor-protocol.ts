// SPDX-License-Identifier: Apache-2.0
// What ./junction and the supervisor say to each other: one JSON request a connection on a unix socket, ended by a
// newline; one JSON answer, then the supervisor closes.
import { join } from 'node:path';

import type { AppSpec, AppStatus } from './app-spec.ts';

export type SupervisorRequest =
  /** Starts what is new, restarts what changed, stops what is not named. */
  | { readonly op: 'apply'; readonly apps: readonly AppSpec[] }
  | { readonly op: 'status' }
  | { readonly op: 'restart'; readonly name: string }
  /** Stops these apps, one after the other; answers when they are gone. */
  | { readonly op: 'stop'; readonly names: readonly string[] }
  /** Stops the rest and ends the supervisor. */
  | { readonly op: 'exit' };

export type SupervisorAnswer =
  { readonly apps: readonly AppStatus[]; readonly pid: number } | { readonly error: string };

/** Where the supervisor of a stack listens. */
export function supervisorSocket(runDir: string): string {
  return join(runDir, 'supervisor.sock');
}

/** Where the pids of a stack's processes are recorded, one file each. */
export function processesDir(runDir: string): string {
  return join(runDir, 'processes');
}
