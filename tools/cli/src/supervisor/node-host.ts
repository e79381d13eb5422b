// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { identify } from '../process/process-identity.ts';
import type { AppSpec } from './app-spec.ts';
import type { Child, Host } from './supervised-app.ts';
import { processesDir } from './supervisor-protocol.ts';

/** The real world of a supervisor. Programs get a session of their own and outlive it. */
export class NodeHost implements Host {
  private readonly processes: string;

  constructor(runDir: string) {
    this.processes = processesDir(runDir);
    mkdirSync(this.processes, { recursive: true });
  }

  start(spec: AppSpec): Child {
    mkdirSync(dirname(spec.logFile), { recursive: true });
    const log = openSync(spec.logFile, 'a', 0o600);
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => {
        // It could not be started at all: there is no exit event then.
        if (child.pid === undefined) {
          writeFileSync(spec.logFile, `supervisor: ${error.message}\n`, { flag: 'a' });
          resolve({ code: 127, signal: null });
        }
      });
    });
    return { pid: child.pid ?? 0, ended, kill: (name) => child.kill(name) };
  }

  now(): number {
    return performance.now();
  }

  later(ms: number, work: () => void): () => void {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  }

  recordPid(name: string, pid: number): void {
    const file = join(this.processes, `${name}.json`);
    const identity = pid === 0 ? undefined : identify(pid);
    if (identity === undefined) rmSync(file, { force: true });
    else writeFileSync(file, JSON.stringify(identity));
  }
}
