// SPDX-License-Identifier: Apache-2.0
// Remembers which digest a reference led to when it was last resolved, so that an instance can be created without asking
// anyone, and an archive that did not change is not read again.
import { readFile } from 'node:fs/promises';

import { writeFileAtomic } from '../atomic-file.js';
import { errorCode } from '../junctiond.error.js';
import { isRecord } from './image-config.js';

export interface ResolvedReference {
  readonly digest: string;
  /** Of an archive: size, time of change and inode then. */
  readonly stamp?: string;
}

export class ImageIndex {
  readonly #file: string;
  readonly #entries = new Map<string, ResolvedReference>();
  #writing: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** Reads the file; one that is missing or damaged is an empty index: everything in it can be found out again. */
  async open(): Promise<void> {
    let document: unknown;
    try {
      document = JSON.parse(await readFile(this.#file, 'utf8'));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' && !(error instanceof SyntaxError)) {
        throw error;
      }
      return;
    }
    for (const [reference, entry] of isRecord(document) ? Object.entries(document) : []) {
      if (isRecord(entry) && typeof entry['digest'] === 'string') {
        const { digest, stamp } = entry;
        this.#entries.set(reference, { digest, ...(typeof stamp === 'string' ? { stamp } : {}) });
      }
    }
  }

  get(reference: string): ResolvedReference | undefined {
    return this.#entries.get(reference);
  }

  /** Settles when the change is in the file. */
  async set(reference: string, resolved: ResolvedReference): Promise<void> {
    const known = this.#entries.get(reference);
    if (known?.digest !== resolved.digest || known.stamp !== resolved.stamp) {
      this.#entries.set(reference, resolved);
      await this.#write();
    }
  }

  /** Forgets every reference to a removed image. */
  async forget(digest: string): Promise<void> {
    const gone = [...this.#entries].filter(([, entry]) => entry.digest === digest);
    if (gone.length > 0) {
      gone.forEach(([reference]) => this.#entries.delete(reference));
      await this.#write();
    }
  }

  #write(): Promise<void> {
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(() => {
        const content = JSON.stringify(Object.fromEntries(this.#entries));
        return writeFileAtomic(this.#file, content, { mode: 0o600, durable: false });
      });
    return this.#writing;
  }
}
