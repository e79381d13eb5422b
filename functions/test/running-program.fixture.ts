// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** The folder of the functions project. */
export const functionsRoot = join(import.meta.dirname, '..');

/** A compiled program of the last build. */
export function builtProgram(name: string): string {
  return join(functionsRoot, 'dist', 'bin', name);
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program of this host that a test started. */
export class RunningProgram {
  readonly port: number;
  readonly exit: Promise<ExitStatus>;
  #stdout = '';
  #stderr = '';
  readonly #process: ChildProcess;

  /** `port` is where it is told to listen. */
  constructor(command: readonly string[], env: Readonly<Record<string, string>>, port: number) {
    this.port = port;
    const [program, ...args] = command;
    if (program === undefined) throw new Error('the command is empty');
    // In a process group of its own, so that kill() reaches its children too.
    this.#process = spawn(program, args, {
      env: { PATH: '/usr/bin:/bin', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#process.stdout?.on('data', (data: Buffer) => (this.#stdout += data.toString()));
    this.#process.stderr?.on('data', (data: Buffer) => (this.#stderr += data.toString()));
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    this.#process.on('close', (code, signal) => resolve({ code, signal }));
    this.exit = promise;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Waits until it listens; throws where it exits before. */
  async listening(): Promise<this> {
    let exited: ExitStatus | undefined;
    void this.exit.then((status) => (exited = status));
    while (!(await canConnect(this.port))) {
      if (exited !== undefined) throw new Error(`exited with ${JSON.stringify(exited)}: ${this.#stderr}`);
      await wait(5);
    }
    return this;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Ends it and its children, whatever their state. */
  async kill(): Promise<void> {
    if (this.#process.pid !== undefined) {
      try {
        process.kill(-this.#process.pid, 'SIGKILL');
      } catch {
        // It has ended already, with all its children.
      }
    }
    await this.exit;
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
