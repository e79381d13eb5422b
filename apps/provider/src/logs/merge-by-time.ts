// SPDX-License-Identifier: Apache-2.0
import type { instanceV1 } from '@junctiond/contracts';

/** Lines of several logs, each in order of time, as one. Holds one line of each log at a time. */
export async function* mergeByTime(
  logs: readonly AsyncIterable<instanceV1.LogLine>[],
): AsyncGenerator<instanceV1.LogLine> {
  const readers = logs.map((log) => log[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(readers.map((reader) => reader.next()));
    for (;;) {
      let earliest = -1;
      for (const [index, head] of heads.entries()) {
        const best = heads[earliest];
        if (
          head.done !== true &&
          (best === undefined || best.done === true || timeOf(head.value) < timeOf(best.value))
        ) {
          earliest = index;
        }
      }
      const head = heads[earliest];
      const reader = readers[earliest];
      if (head === undefined || head.done === true || reader === undefined) {
        return;
      }
      yield head.value;
      heads[earliest] = await reader.next();
    }
  } finally {
    await Promise.allSettled(readers.map(async (reader) => reader.return?.()));
  }
}

/** The last `count` items (at least one), oldest first. */
export async function takeLast<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const kept: T[] = [];
  for await (const item of items) {
    kept.push(item);
    // Cut in strides, so that a long log does not move the array with each line.
    if (kept.length >= 2 * count + 64) {
      kept.splice(0, kept.length - count);
    }
  }
  return kept.slice(-count);
}

function timeOf(line: instanceV1.LogLine): number {
  return line.at?.getTime() ?? 0;
}
