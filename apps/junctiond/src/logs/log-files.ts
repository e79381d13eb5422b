// SPDX-License-Identifier: Apache-2.0
// Reads the two files of an instance's log, `log.1` (older) and `log`, across rotations: `log` becomes `log.1`, a new `log`
// begins. A file that is held open stays readable whatever its name becomes, so nothing is lost in between.
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

import { errorCode } from '../junctiond.error.js';
import { LineSplitter, type LogLine, parseLogLine } from './log-line.js';

/** junction_run cuts the guest's lines at 16 KiB; as JSON each byte may take six. */
const MAX_LINE_BYTES = 128 * 1024;
/** Chosen small: there is one buffer for each log that is followed. */
const CHUNK_BYTES = 32 * 1024;
/** Rotations in the middle of an opening are followed this often. */
const MAX_OPEN_ATTEMPTS = 10;

/** A position in the log, from which reading goes on. */
export class LogFiles {
  readonly #folder: string;
  readonly #splitter = new LineSplitter(MAX_LINE_BYTES);
  readonly #buffer = Buffer.alloc(CHUNK_BYTES);
  #current: FileHandle | undefined;
  #currentInode = 0n;
  #offset = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The lines from the position to the end, which becomes the new position. The first call begins with the oldest line. */
  async *readOn(): AsyncGenerator<LogLine> {
    if (this.#current === undefined && !(await this.#openOldest())) {
      return;
    }
    for (;;) {
      yield* this.#readToEnd();
      if (!(await this.#openNext())) {
        return;
      }
    }
  }

  async close(): Promise<void> {
    await this.#current?.close();
    this.#current = undefined;
  }

  async *#readToEnd(): AsyncGenerator<LogLine> {
    for (;;) {
      const { bytesRead } = (await this.#current?.read(this.#buffer, 0, CHUNK_BYTES, this.#offset)) ?? { bytesRead: 0 };
      if (bytesRead === 0) {
        return;
      }
      this.#offset += bytesRead;
      for (const text of this.#splitter.push(this.#buffer.subarray(0, bytesRead))) {
        const line = parseLogLine(text);
        if (line !== undefined) {
          yield line;
        }
      }
    }
  }

  async #openOldest(): Promise<boolean> {
    return (await this.#openFile('log.1')) || this.#openFile('log');
  }

  /** Goes to the file after the current one; false when there is none: the current one is still `log`. */
  async #openNext(): Promise<boolean> {
    for (let attempt = 0; attempt < MAX_OPEN_ATTEMPTS; attempt += 1) {
      const newest = await openIfThere(join(this.#folder, 'log'));
      if (newest === undefined) {
        // Between the two renames of a rotation: the next change tells.
        return false;
      }
      if (newest.inode === this.#currentInode) {
        await newest.handle.close();
        return false;
      }
      // The current file has been renamed; what was written to it before is read first.
      const older = await openIfThere(join(this.#folder, 'log.1'));
      if (older === undefined || older.inode === this.#currentInode) {
        await older?.handle.close();
        const isFinished = await this.#isAtEnd();
        if (isFinished) {
          await this.#use(newest);
        } else {
          await newest.handle.close();
        }
        return true;
      }
      if (older.inode !== newest.inode) {
        // Rotated more than once: log.1 is unread as well.
        await newest.handle.close();
        if (await this.#isAtEnd()) {
          await this.#use(older);
        } else {
          await older.handle.close();
        }
        return true;
      }
      await Promise.all([older.handle.close(), newest.handle.close()]);
    }
    return false;
  }

  async #isAtEnd(): Promise<boolean> {
    const size = (await this.#current?.stat())?.size ?? 0;
    return size <= this.#offset;
  }

  async #openFile(name: string): Promise<boolean> {
    const file = await openIfThere(join(this.#folder, name));
    if (file === undefined) {
      return false;
    }
    await this.#use(file);
    return true;
  }

  async #use(file: OpenFile): Promise<void> {
    await this.#current?.close();
    this.#current = file.handle;
    this.#currentInode = file.inode;
    this.#offset = 0;
    this.#splitter.reset();
  }
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
}

async function openIfThere(path: string): Promise<OpenFile | undefined> {
  try {
    const handle = await open(path, 'r');
    return { handle, inode: (await handle.stat({ bigint: true })).ino };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
