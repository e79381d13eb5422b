// SPDX-License-Identifier: Apache-2.0
// A line of an instance's log as junction_run writes it: {"t":<unix ns>,"s":"out|err","m":"text"}. The text is the guest's.
import { isRecord } from '../images/image-config.js';

export interface LogLine {
  readonly atMs: number;
  readonly isStderr: boolean;
  readonly text: string;
}

/** Undefined for what is no such line (half of one, after a crash of the machine); readers leave it out. */
export function parseLogLine(json: string): LogLine | undefined {
  let line: unknown;
  try {
    line = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isRecord(line)) {
    return undefined;
  }
  const { t, s, m } = line;
  if (typeof t !== 'number' || !Number.isFinite(t) || t < 0 || typeof m !== 'string') {
    return undefined;
  }
  return { atMs: Math.floor(t / 1e6), isStderr: s === 'err', text: m };
}

/** Cuts a stream of bytes into lines. What is longer than the limit is dropped up to its end. */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer[] = [];
  #rest_bytes = 0;
  #isDropping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that end in `chunk`, without their ends. */
  *push(chunk: Buffer): Generator<string> {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, from);
      if (end === -1) {
        break;
      }
      const line = this.#take(chunk.subarray(from, end));
      if (line !== undefined) {
        yield line;
      }
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** Forgets a line that was begun: its file goes on no more. */
  reset(): void {
    this.#rest = [];
    this.#rest_bytes = 0;
    this.#isDropping = false;
  }

  #take(last: Buffer): string | undefined {
    const isTooLong = this.#isDropping || this.#rest_bytes + last.length > this.#maxBytes;
    const line = isTooLong ? undefined : Buffer.concat([...this.#rest, last]).toString('utf8');
    this.reset();
    return line;
  }

  #keep(part: Buffer): void {
    if (part.length === 0 || this.#isDropping) {
      return;
    }
    if (this.#rest_bytes + part.length > this.#maxBytes) {
      this.reset();
      this.#isDropping = true;
      return;
    }
    // A copy: the reader uses its buffer again.
    this.#rest.push(Buffer.from(part));
    this.#rest_bytes += part.length;
  }
}
