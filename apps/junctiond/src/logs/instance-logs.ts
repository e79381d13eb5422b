// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';

import type { LogLine } from './log-line.js';
import { readLog, type LogQuery } from './log-reader.js';

/** The logs of this node's instances; they are there until the instance is deleted, whether it runs or not. */
export class InstanceLogs {
  readonly #instancesDir: string;
  readonly #goneSignal: (id: string) => AbortSignal;

  /** `goneSignal` throws not_found for an instance that does not exist. */
  constructor(instancesDir: string, goneSignal: (id: string) => AbortSignal) {
    this.#instancesDir = instancesDir;
    this.#goneSignal = goneSignal;
  }

  /** Lines, oldest first. One that follows ends when the instance is deleted, or by `signal`. Throws not_found. */
  read(id: string, query: Omit<LogQuery, 'signal'>, signal: AbortSignal): AsyncGenerator<LogLine> {
    const gone = this.#goneSignal(id);
    return readLog(join(this.#instancesDir, id), { ...query, signal: AbortSignal.any([gone, signal]) });
  }
}
