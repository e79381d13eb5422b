// SPDX-License-Identifier: Apache-2.0
// Runs a helper program (skopeo, umoci, du) to its end. Not for the path of an instance's start.
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Standard output past this many bytes ends the program. */
  readonly maxOutputBytes?: number;
}

export interface CommandResult {
  /** Absent when a signal ended it. */
  readonly exitCode?: number;
  readonly stdout: Buffer;
  /** The last few KiB. */
  readonly stderr: string;
  readonly hasTimedOut: boolean;
  readonly hasOverflowed: boolean;
}

/** A port, so that tests can stand in for programs. */
export type RunCommand = (options: CommandOptions) => Promise<CommandResult>;

/** Process groups of running programs: none is left when this process ends. */
const runningGroups = new Set<number>();
process.once('exit', () => {
  runningGroups.forEach(killGroup);
});

const DEFAULT_OUTPUT_BYTES = 8 * 1024 * 1024;
const KEPT_STDERR_BYTES = 8 * 1024;

/**
 * Runs a program, killing it (and what it started) when its time is over. Rejects only where it cannot be started
 * (`ENOENT`: not installed).
 */
export const runCommand: RunCommand = (options) =>
  new Promise((resolve, reject) => {
    const child = spawn(options.file, options.args, {
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that kill() below reaches its children too.
      detached: true,
    });
    const chunks: Buffer[] = [];
    let size_bytes = 0;
    let stderr = '';
    let hasTimedOut = false;
    let hasOverflowed = false;
    const { pid } = child;
    if (pid !== undefined) {
      runningGroups.add(pid);
    }
    const kill = (): void => {
      if (pid !== undefined) {
        killGroup(pid);
      }
    };
    const timer = setTimeout(() => {
      hasTimedOut = true;
      kill();
    }, options.timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      size_bytes += chunk.length;
      if (size_bytes > (options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES)) {
        hasOverflowed = true;
        kill();
        return;
      }
      chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-KEPT_STDERR_BYTES);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      if (pid !== undefined) {
        runningGroups.delete(pid);
      }
      resolve({
        ...(exitCode === null ? {} : { exitCode }),
        stdout: Buffer.concat(chunks),
        stderr,
        hasTimedOut,
        hasOverflowed,
      });
    });
  });

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already: that is what was wanted.
  }
}

/** The same, but with at most `limit` programs at a time; further ones wait in order. */
export function limitRuns(run: RunCommand, limit: number): RunCommand {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (options) => {
    if (running >= limit) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await run(options);
    } finally {
      const next = waiting.shift();
      if (next === undefined) {
        running -= 1;
      } else {
        next();
      }
    }
  };
}
