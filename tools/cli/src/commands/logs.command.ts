// SPDX-License-Identifier: Apache-2.0
import { closeSync, existsSync, openSync, readSync, readdirSync, statSync, watch } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

import { CommandError, exitCode } from '../exit-code.ts';
import { authorization } from '../stack/credentials.ts';
import type { StackSettings } from '../stack/stack-settings.ts';

export interface LogsOptions {
  readonly function?: string;
  readonly follow?: boolean;
  readonly lines: number;
}

/** At most this much of a log is read to find its last lines. */
const maxTailBytes = 1 << 20;

function readRange(file: string, from: number, to: number): string {
  const length = Math.max(0, to - from);
  const buffer = Buffer.alloc(length);
  const descriptor = openSync(file, 'r');
  try {
    return buffer.subarray(0, readSync(descriptor, buffer, 0, length, from)).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}

function lastLines(file: string, count: number): string[] {
  const { size } = statSync(file);
  const text = readRange(file, Math.max(0, size - maxTailBytes), size);
  return text.split('\n').slice(0, -1).slice(-count);
}

function printer(prefix: string): (line: string) => void {
  return (line) => process.stdout.write(prefix === '' ? `${line}\n` : `${prefix}${line}\n`);
}

/** Prints what is appended to the file, for ever; begins anew when the file was cut. */
function followFile(file: string, print: (line: string) => void): void {
  let at = statSync(file).size;
  let rest = '';
  watch(file, () => {
    const { size } = statSync(file);
    if (size < at) at = 0;
    const lines = (rest + readRange(file, at, size)).split('\n');
    at = size;
    rest = lines.pop() ?? '';
    lines.forEach(print);
  });
}

function appLogs(apps: readonly string[], options: LogsOptions, settings: StackSettings): void {
  const { logsDir } = settings.paths;
  const present = existsSync(logsDir)
    ? readdirSync(logsDir)
        .filter((file) => file.endsWith('.log'))
        .map((file) => basename(file, '.log'))
    : [];
  const wanted = apps.length > 0 ? apps : present;
  for (const app of wanted) {
    if (!present.includes(app)) {
      throw new CommandError(`there is no log of ${app}; there is: ${present.join(', ') || 'none'}`, exitCode.usage);
    }
  }
  for (const app of wanted) {
    const file = join(logsDir, `${app}.log`);
    const print = printer(wanted.length > 1 ? `${app} | ` : '');
    lastLines(file, options.lines).forEach(print);
    if (options.follow === true) followFile(file, print);
  }
}

async function functionLogs(name: string, options: LogsOptions, settings: StackSettings): Promise<void> {
  const query = new URLSearchParams({
    name,
    tail: String(options.lines),
    follow: String(options.follow === true),
    since: '1970-01-01T00:00:00Z',
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: settings.ports.gateway,
        path: `/system/logs?${query.toString()}`,
        headers: { authorization: authorization(settings.paths) },
      },
      resolve,
    )
      .on('error', reject)
      .end();
  });
  if (response.statusCode !== 200) {
    const parts = await response.toArray();
    throw new CommandError(`the gateway answered ${response.statusCode ?? 0}: ${parts.join('')}`);
  }
  for await (const line of createInterface({ input: response })) {
    const entry = JSON.parse(line) as { timestamp: string; instance: string; text: string };
    process.stdout.write(`${entry.timestamp} ${entry.instance} ${entry.text}\n`);
  }
}

/** Prints the logs of apps (all unless named), or of a function. */
export async function logs(apps: readonly string[], options: LogsOptions, settings: StackSettings): Promise<void> {
  if (options.function === undefined) {
    appLogs(apps, options, settings);
    return;
  }
  await functionLogs(options.function, options, settings);
}
