// SPDX-License-Identifier: Apache-2.0
// The log of one instance as a caller wants it: the last lines, since a time, and on as it grows.
import { type FSWatcher, watch } from 'node:fs';

import { LogFiles } from './log-files.js';
import type { LogLine } from './log-line.js';

export interface LogQuery {
  /** 0 = all that is kept. */
  readonly tailLines: number;
  readonly sinceMs?: number;
  /** Go on with what comes, until `signal`. */
  readonly isFollowing: boolean;
  readonly signal: AbortSignal;
}

/** No log holds more: 8 MiB of the shortest lines. */
const MAX_TAIL_LINES = 500_000;

/**
 * The lines of the log in `folder`, oldest first. A folder without a log has none yet. Ends when `signal` is aborted, or at
 * the end of the log when it does not follow.
 */
export async function* readLog(folder: string, query: LogQuery): AsyncGenerator<LogLine> {
  const files = new LogFiles(folder);
  // Watched before the first look, so that no change falls in between.
  const changes = query.isFollowing ? new FolderChanges(folder, query.signal) : undefined;
  try {
    yield* query.tailLines === 0 ? since(files.readOn(), query.sinceMs) : tail(files, query);
    while (changes !== undefined && (await changes.next())) {
      for await (const line of since(files.readOn(), query.sinceMs)) {
        if (query.signal.aborted) {
          return;
        }
        yield line;
      }
    }
  } finally {
    changes?.close();
    await files.close();
  }
}

async function* tail(files: LogFiles, query: LogQuery): AsyncGenerator<LogLine> {
  const wanted = Math.min(query.tailLines, MAX_TAIL_LINES);
  const kept: LogLine[] = [];
  let next = 0;
  for await (const line of since(files.readOn(), query.sinceMs)) {
    kept[next] = line;
    next = (next + 1) % wanted;
  }
  const oldest = kept.length < wanted ? 0 : next;
  yield* kept.slice(oldest);
  yield* kept.slice(0, oldest);
}

async function* since(lines: AsyncIterable<LogLine>, sinceMs: number | undefined): AsyncGenerator<LogLine> {
  for await (const line of lines) {
    if (sinceMs === undefined || line.atMs >= sinceMs) {
      yield line;
    }
  }
}

/** Tells that something in a folder changed, by inotify; many changes are one. */
class FolderChanges {
  readonly #watcher: FSWatcher;
  readonly #signal: AbortSignal;
  readonly #wake = (): void => {
    this.#hasChanged = true;
    this.#waiting?.();
  };
  #hasChanged = true;
  #waiting: (() => void) | undefined;

  constructor(folder: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = watch(folder, { persistent: false }, this.#wake);
    // A folder that goes away: the instance is being deleted, and `signal` says so.
    this.#watcher.on('error', this.#wake);
    signal.addEventListener('abort', this.#wake);
  }

  /** Waits for a change since the last call; false when the signal is aborted. */
  async next(): Promise<boolean> {
    while (!this.#hasChanged && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    this.#waiting = undefined;
    this.#hasChanged = false;
    return !this.#signal.aborted;
  }

  close(): void {
    this.#watcher.close();
    this.#signal.removeEventListener('abort', this.#wake);
  }
}
