// SPDX-License-Identifier: Apache-2.0

/** One program of a stack that must always run. */
export interface AppSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  /** From SIGTERM to SIGKILL. */
  readonly stopTimeoutMs: number;
  /** Digest of the program's files: an app whose digest changed is restarted by the next `up`. */
  readonly build: string;
}

/**
 * running: it lives. Exits to backing-off when it ends, to failed when it ends with status 78, to stopped by request.
 * backing-off: it ended and is started again after a while. Exits to running, to stopped by request.
 * failed: it says that its configuration is wrong (status 78, EX_CONFIG of sysexits.h). Exits by a new spec.
 * stopped: by request. Exits by a new spec.
 */
export type AppState = 'running' | 'backing-off' | 'failed' | 'stopped';

export interface AppStatus {
  readonly name: string;
  readonly state: AppState;
  /** 0 unless it runs. */
  readonly pid: number;
  readonly restarts: number;
  /** How it ended last: `status 1`, `SIGKILL`; empty if it never did. */
  readonly lastExit: string;
  readonly build: string;
}

/** Whether the two specs differ in anything that needs a restart. */
export function isSameSpec(a: AppSpec, b: AppSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
