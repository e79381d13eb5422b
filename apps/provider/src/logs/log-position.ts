// SPDX-License-Identifier: Apache-2.0
import type { instanceV1 } from '@junctiond/contracts';

/**
 * How far one replica's log has been read, so that it can be read on after a break without a gap or a line twice. Times
 * have milliseconds here, so lines of the last one are counted.
 */
export class LogPosition {
  #lastMs: number | undefined;
  #linesAtLast = 0;
  #toSkip = 0;

  /** Where to ask for lines from; undefined: from the beginning. */
  resume(): Date | undefined {
    this.#toSkip = this.#linesAtLast;
    return this.#lastMs === undefined ? undefined : new Date(this.#lastMs);
  }

  /** Counts a line; false for one that was read before the break. */
  accept(line: instanceV1.LogLine): boolean {
    const atMs = line.at?.getTime() ?? 0;
    if (this.#lastMs !== undefined && atMs < this.#lastMs) {
      return false;
    }
    if (atMs === this.#lastMs) {
      if (this.#toSkip > 0) {
        this.#toSkip -= 1;
        return false;
      }
      this.#linesAtLast += 1;
      return true;
    }
    this.#lastMs = atMs;
    this.#linesAtLast = 1;
    this.#toSkip = 0;
    return true;
  }
}
