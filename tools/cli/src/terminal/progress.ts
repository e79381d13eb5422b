// SPDX-License-Identifier: Apache-2.0
// Tells on stderr what goes on: one line a step, kept up to date on a terminal, repeated now and then elsewhere.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { finished } from 'node:stream/promises';

const isTerminal = process.stderr.isTTY;

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/** A line of information. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs `work` under a heading that shows how long it takes; the heading is marked when it fails. */
export async function step<T>(heading: string, work: () => Promise<T>): Promise<T> {
  const since = Date.now();
  const show = (): void => {
    process.stderr.write(
      isTerminal ? `\r\x1b[K${heading} ... ${seconds(since)}` : `${heading} ... ${seconds(since)}\n`,
    );
  };
  if (isTerminal) show();
  else process.stderr.write(`${heading} ...\n`);
  const timer = setInterval(show, isTerminal ? 500 : 30_000);
  const end = (word: string): void => {
    clearInterval(timer);
    process.stderr.write(`${isTerminal ? '\r\x1b[K' : ''}${heading}: ${word}, ${seconds(since)}\n`);
  };
  try {
    const result = await work();
    end('done');
    return result;
  } catch (error) {
    end('FAILED');
    throw error;
  }
}

/** A program ended badly; `output` is the end of what it wrote. */
export class CommandFailed extends Error {
  readonly output: string;

  constructor(message: string, output: string) {
    super(message);
    this.name = 'CommandFailed';
    this.output = output;
  }
}

export interface RunOptions {
  readonly cwd: string;
  /** The whole output goes here. */
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How much of the output's end an error carries. */
  readonly tailBytes?: number;
}

/** Runs a program with its output in a log file. Throws CommandFailed unless it exits with 0. */
export async function runLogged(command: string, args: readonly string[], options: RunOptions): Promise<void> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = createWriteStream(options.logFile);
  const child = spawn(command, args, {
    cwd: options.cwd,
    // The output goes to a file: no colours.
    env: { ...(options.env ?? process.env), FORCE_COLOR: '0', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Who ends us wants the work to end too (Ctrl-C reaches the child by itself, a signal to us alone does not).
  const forward = (name: NodeJS.Signals): void => {
    child.kill(name);
    child.once('close', () => process.exit(128 + constants.signals[name]));
  };
  process.once('SIGTERM', forward).once('SIGINT', forward);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const reason = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) =>
      resolve(code === 0 ? undefined : `ended with ${signal ?? `status ${code ?? '?'}`}`),
    );
  });
  process.off('SIGTERM', forward).off('SIGINT', forward);
  log.end();
  await finished(log);
  if (reason === undefined) return;
  const text = await readFile(options.logFile, 'utf8');
  const tail = text.slice(-(options.tailBytes ?? 8_000));
  throw new CommandFailed(`${command} ${args.join(' ')} ${reason}; whole output in ${options.logFile}`, tail);
}
