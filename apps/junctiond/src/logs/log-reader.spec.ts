// SPDX-License-Identifier: Apache-2.0
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { readLog, type LogQuery } from './log-reader.js';

let folder: string;
let clockMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-reader-'));
  clockMs = 1000;
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const lineOf = (text: string): string => {
  clockMs += 1;
  return `${JSON.stringify({ t: clockMs * 1e6, s: 'out', m: text })}\n`;
};
const write = (...texts: string[]): void => {
  appendFileSync(join(folder, 'log'), texts.map(lineOf).join(''));
};
/** As junction_run does it. */
const rotate = (): void => {
  renameSync(join(folder, 'log'), join(folder, 'log.1'));
  writeFileSync(join(folder, 'log'), '');
};

async function read(query: Partial<LogQuery> = {}): Promise<string[]> {
  const texts: string[] = [];
  const whole = { tailLines: 0, isFollowing: false, signal: new AbortController().signal, ...query };
  for await (const line of readLog(folder, whole)) texts.push(line.text);
  return texts;
}

describe('readLog', () => {
  it('has nothing to say of an instance that said nothing', async () => {
    await expect(read()).resolves.toEqual([]);
    await expect(read({ tailLines: 5 })).resolves.toEqual([]);
  });

  it('reads both files, oldest first', async () => {
    write('a', 'b');
    rotate();
    write('c');
    await expect(read()).resolves.toEqual(['a', 'b', 'c']);
  });

  it('tells the streams apart', async () => {
    appendFileSync(join(folder, 'log'), '{"t":1,"s":"out","m":"a"}\n{"t":1,"s":"err","m":"b"}\n');
    const streams: boolean[] = [];
    const query = { tailLines: 0, isFollowing: false, signal: new AbortController().signal };
    for await (const line of readLog(folder, query)) streams.push(line.isStderr);
    expect(streams).toEqual([false, true]);
  });

  it('gives the last lines, from both files if need be', async () => {
    write('a', 'b', 'c');
    rotate();
    write('d', 'e');
    await expect(read({ tailLines: 1 })).resolves.toEqual(['e']);
    await expect(read({ tailLines: 3 })).resolves.toEqual(['c', 'd', 'e']);
    await expect(read({ tailLines: 99 })).resolves.toEqual(['a', 'b', 'c', 'd', 'e']);
    await expect(read({ tailLines: 4_000_000_000 })).resolves.toHaveLength(5);
  });

  it('gives what came at a time or later', async () => {
    write('a', 'b', 'c');
    await expect(read({ sinceMs: clockMs - 1 })).resolves.toEqual(['b', 'c']);
    await expect(read({ sinceMs: clockMs - 1, tailLines: 1 })).resolves.toEqual(['c']);
    await expect(read({ sinceMs: clockMs + 1 })).resolves.toEqual([]);
  });

  it('leaves out what is no line and goes on', async () => {
    write('a');
    appendFileSync(join(folder, 'log'), Buffer.from([0xff, 0x00, 0x0a]));
    appendFileSync(join(folder, 'log'), 'x'.repeat(300_000) + '\n{"t":1,"s":"out"');
    appendFileSync(join(folder, 'log'), '\n');
    write('b');
    await expect(read()).resolves.toEqual(['a', 'b']);
  });

  it('reads a log of megabytes', async () => {
    const text = 'x'.repeat(1000);
    appendFileSync(join(folder, 'log'), Array.from({ length: 5000 }, () => lineOf(text)).join(''));
    await expect(read()).resolves.toHaveLength(5000);
  });

  it('does not take half a line at the end of an old file for the start of the new one', async () => {
    write('a');
    appendFileSync(join(folder, 'log'), '{"t":5,"s":"ou');
    rotate();
    write('b');
    await expect(read()).resolves.toEqual(['a', 'b']);
  });
});

describe('readLog that follows', () => {
  let stop: AbortController;
  let lines: AsyncGenerator<{ text: string }>;

  const follow = (query: Partial<LogQuery> = {}): void => {
    stop = new AbortController();
    lines = readLog(folder, { tailLines: 0, isFollowing: true, signal: stop.signal, ...query });
  };
  const next = async (count: number): Promise<string[]> => {
    const texts: string[] = [];
    while (texts.length < count) {
      const result: IteratorResult<{ text: string }, unknown> = await lines.next();
      if (result.done === true) break;
      texts.push(result.value.text);
    }
    return texts;
  };

  afterEach(async () => {
    stop.abort();
    await lines.return(undefined);
  });

  it('goes on with what comes', async () => {
    write('a');
    follow();
    await expect(next(1)).resolves.toEqual(['a']);
    const later = next(2);
    write('b');
    write('c');
    await expect(later).resolves.toEqual(['b', 'c']);
  });

  it('begins with the last lines', async () => {
    write('a', 'b', 'c');
    follow({ tailLines: 1 });
    await expect(next(1)).resolves.toEqual(['c']);
    write('d');
    await expect(next(1)).resolves.toEqual(['d']);
  });

  it('sees the first line of a log that was not there', async () => {
    follow();
    const first = next(1);
    await new Promise((resolve) => setImmediate(resolve));
    write('a');
    await expect(first).resolves.toEqual(['a']);
  });

  it('goes over rotations without losing or repeating a line', async () => {
    write('0');
    follow();
    await expect(next(1)).resolves.toEqual(['0']);
    const expected: string[] = [];
    const later = next(40);
    for (let index = 1; index <= 40; index += 1) {
      write(String(index));
      expected.push(String(index));
      if (index % 15 === 0) {
        // Not before the reader had a chance: junction_run rotates after megabytes.
        await new Promise((resolve) => setImmediate(resolve));
        rotate();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect(later).resolves.toEqual(expected);
  });

  it('reads what a rotation left in the older files', async () => {
    write('a');
    follow();
    await expect(next(1)).resolves.toEqual(['a']);
    write('b');
    rotate();
    write('c');
    rotate();
    write('d');
    await expect(next(3)).resolves.toEqual(['b', 'c', 'd']);
  });

  it('ends when it is told, also while it waits', async () => {
    follow();
    const waiting = lines.next();
    stop.abort();
    await expect(waiting).resolves.toMatchObject({ done: true });
  });

  it('waits without an end when the folder vanishes, until it is told', async () => {
    write('a');
    follow();
    await expect(next(1)).resolves.toEqual(['a']);
    const waiting = lines.next();
    rmSync(folder, { recursive: true });
    stop.abort();
    await expect(waiting).resolves.toMatchObject({ done: true });
    folder = mkdtempSync(join(tmpdir(), 'log-reader-'));
  });
});
