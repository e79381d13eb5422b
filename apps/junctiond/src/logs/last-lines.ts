// SPDX-License-Identifier: Apache-2.0
// The end of a log, quickly: only the last part of each file is read.
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { errorCode } from '../junctiond.error.js';
import { parseLogLine } from './log-line.js';

/** Holds some lines of the greatest length, and many of the usual one. */
const END_BYTES = 64 * 1024;

/** The last lines that the guest printed since a time, oldest first; empty when there is none. */
export async function lastLogTexts(folder: string, count: number, sinceMs: number): Promise<string[]> {
  const texts: string[] = [];
  for (const name of ['log', 'log.1']) {
    const lines = await endOf(join(folder, name));
    const parsed = lines.map(parseLogLine).filter((line) => line !== undefined);
    texts.unshift(...parsed.filter(({ atMs }) => atMs >= sinceMs).map(({ text }) => text));
    if (texts.length >= count) {
      break;
    }
  }
  return texts.slice(-count);
}

/** The last lines of a file of plain text. */
export async function lastTexts(file: string, count: number): Promise<string[]> {
  return (await endOf(file)).filter((line) => line !== '').slice(-count);
}

/** The whole lines within the last END_BYTES of a file; none when it is not there. */
async function endOf(file: string): Promise<string[]> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return [];
    }
    throw error;
  }
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - END_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const lines = buffer.subarray(0, bytesRead).toString('utf8').split('\n');
    return from === 0 ? lines : lines.slice(1);
  } finally {
    await handle.close();
  }
}
