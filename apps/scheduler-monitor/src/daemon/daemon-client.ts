// SPDX-License-Identifier: Apache-2.0
import { createConnection } from 'node:net';

import { parseDaemonStats, type DaemonStats } from './daemon-stats.js';

/** Longer than the stats of as many instances as the daemon takes (16,384 of some 200 bytes). */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** Asks the scheduler daemon for its stats. */
export class DaemonClient {
  readonly #socketPath: string;
  readonly #deadlineMs: number;

  constructor(socketPath: string, deadlineMs: number) {
    this.#socketPath = socketPath;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * One connection, one question, one answer. Rejects when nobody listens, when the answer is late or is no stats; the
   * caller may ask again.
   */
  async stats(): Promise<DaemonStats> {
    return parseDaemonStats(await this.#ask('{"op":"stats"}\n'));
  }

  #ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let received = 0;
      const socket = createConnection(this.#socketPath);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(new Error(`the scheduler daemon did not answer within ${this.#deadlineMs} ms`));
      }, this.#deadlineMs);
      socket.on('error', fail);
      socket.on('close', () => {
        fail(new Error('the scheduler daemon hung up before its answer was whole'));
      });
      socket.on('data', (chunk) => {
        chunks.push(chunk);
        received += chunk.length;
        if (chunk.includes(0x0a)) {
          clearTimeout(timer);
          socket.destroy();
          resolve(Buffer.concat(chunks).toString('utf8').split('\n', 1)[0] ?? '');
        } else if (received > MAX_LINE_BYTES) {
          fail(new Error(`the scheduler daemon's answer is longer than ${MAX_LINE_BYTES} bytes`));
        }
      });
      socket.write(line);
    });
  }
}
