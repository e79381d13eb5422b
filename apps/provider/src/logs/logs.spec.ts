// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { instanceV1 } from '@junctiond/contracts';
import { Confluence } from './confluence.js';
import { LogPosition } from './log-position.js';
import { mergeByTime, takeLast } from './merge-by-time.js';

function line(instanceId: string, atMs: number, text = `${instanceId}@${atMs}`): instanceV1.LogLine {
  return instanceV1.LogLine.create({ instanceId, at: new Date(atMs), text });
}

async function* stream<T>(...items: T[]): AsyncGenerator<T> {
  yield* items;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) {
    all.push(item);
  }
  return all;
}

const texts = async (lines: AsyncIterable<instanceV1.LogLine>): Promise<string[]> =>
  (await collect(lines)).map(({ text }) => text);

describe('mergeByTime', () => {
  it('puts the lines of all logs in order of time', async () => {
    const merged = mergeByTime([
      stream(line('a', 1), line('a', 4), line('a', 4, 'a again')),
      stream<instanceV1.LogLine>(),
      stream(line('b', 2), line('b', 3), line('b', 9)),
    ]);
    expect(await texts(merged)).toEqual(['a@1', 'b@2', 'b@3', 'a@4', 'a again', 'b@9']);
  });

  it('keeps the order within a log where times are equal', async () => {
    const merged = mergeByTime([stream(line('a', 1, 'a1'), line('a', 1, 'a2')), stream(line('b', 1, 'b1'))]);
    expect(await texts(merged)).toEqual(['a1', 'a2', 'b1']);
  });

  it('lets go of all logs when the reader stops', async () => {
    let isClosed = false;
    async function* endless(): AsyncGenerator<instanceV1.LogLine> {
      try {
        for (let atMs = 0; ; atMs += 1) {
          yield line('a', atMs);
        }
      } finally {
        isClosed = true;
      }
    }
    for await (const { text } of mergeByTime([endless()])) {
      expect(text).toBe('a@0');
      break;
    }
    expect(isClosed).toBe(true);
  });

  it('passes on the error of a log', async () => {
    async function* broken(): AsyncGenerator<instanceV1.LogLine> {
      yield line('a', 1);
      throw new Error('broken');
    }
    await expect(collect(mergeByTime([broken(), stream(line('b', 5))]))).rejects.toThrow('broken');
  });
});

describe('takeLast', () => {
  it.each([
    [1, [999]],
    [2, [998, 999]],
    [5_000, Array.from({ length: 1_000 }, (_, index) => index)],
  ])('keeps the last %d', async (count, expected) => {
    const numbers = stream(...Array.from({ length: 1_000 }, (_, index) => index));
    expect(await takeLast(numbers, count)).toEqual(expected);
  });
});

describe('LogPosition', () => {
  it('goes on after a break without a gap and without a line twice', () => {
    const position = new LogPosition();
    expect(position.resume()).toBeUndefined();
    const before = [line('a', 1), line('a', 5, 'first'), line('a', 5, 'second')];
    expect(before.map((each) => position.accept(each))).toEqual([true, true, true]);

    expect(position.resume()).toEqual(new Date(5));
    const after = [line('a', 5, 'first'), line('a', 5, 'second'), line('a', 5, 'third'), line('a', 6)];
    expect(after.map((each) => position.accept(each))).toEqual([false, false, true, true]);

    expect(position.resume()).toEqual(new Date(6));
    expect([line('a', 6), line('a', 7)].map((each) => position.accept(each))).toEqual([false, true]);
  });

  it('leaves out what is older', () => {
    const position = new LogPosition();
    position.accept(line('a', 5));
    expect(position.accept(line('a', 4))).toBe(false);
  });
});

describe('Confluence', () => {
  const signal = new AbortController().signal;

  it('brings the items of sources that come at any time', async () => {
    const all = new Confluence<number>();
    all.add(stream(1, 2));
    const seen: number[] = [];
    for await (const item of all.read(signal)) {
      seen.push(item);
      if (item === 2) {
        all.add(stream(3));
        all.close();
      }
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it('asks a source for no more than the reader takes', async () => {
    let produced = 0;
    async function* endless(): AsyncGenerator<number> {
      for (;;) {
        produced += 1;
        yield produced;
      }
    }
    const all = new Confluence<number>();
    all.add(endless());
    const reader = all.read(signal);
    await reader.next();
    await reader.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(produced).toBeLessThanOrEqual(3);
  });

  it('passes on the error of a source', async () => {
    const all = new Confluence<number>();
    all.add(
      (async function* () {
        yield 1;
        throw new Error('broken');
      })(),
    );
    await expect(collect(all.read(signal))).rejects.toThrow('broken');
  });

  it('ends a wait when the reader is gone', async () => {
    const gone = new AbortController();
    const reading = collect(new Confluence<number>().read(gone.signal));
    gone.abort(new Error('gone'));
    await expect(reading).rejects.toThrow('gone');
  });
});
