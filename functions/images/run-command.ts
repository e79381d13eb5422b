// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** `env` is not on top of this process' own. */
  readonly isWholeEnv?: boolean;
}

/** Runs a program to its end and returns its standard output. Throws what it wrote to standard error where it fails. */
export function runCommand(program: string, args: readonly string[], options: RunOptions = {}): string {
  const result = spawnSync(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.isWholeEnv === true ? options.env : { ...process.env, ...options.env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error !== undefined) throw new Error(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new Error(
      `${program} ${args.join(' ')} failed (${result.signal ?? result.status}):\n${result.stderr.trim()}`,
    );
  }
  return result.stdout;
}
