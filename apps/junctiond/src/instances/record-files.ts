// SPDX-License-Identifier: Apache-2.0
// The records of all instances on disk.
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { writeFileAtomic, writeFileAtomicSync } from '../atomic-file.js';
import { errorCode } from '../junctiond.error.js';
import { LatestWriter } from '../latest-writer.js';
import { formatInstanceRecord, type InstanceRecord, parseInstanceRecord } from './instance-record.js';
import { placesOf } from './instance-places.js';

export interface FoundRecords {
  readonly records: InstanceRecord[];
  /** Folders without a record that can be read: leftovers. */
  readonly broken: string[];
}

interface Writer {
  readonly latest: LatestWriter<InstanceRecord>;
  /** Counts what `saveNow` wrote: an older version that is still on its way is dropped. */
  version: number;
}

export class RecordFiles {
  readonly #dirs: { readonly instancesDir: string; readonly runDir: string };
  readonly #writers = new Map<string, Writer>();

  constructor(dirs: { readonly instancesDir: string; readonly runDir: string }) {
    this.#dirs = dirs;
  }

  async load(): Promise<FoundRecords> {
    const records: InstanceRecord[] = [];
    const broken: string[] = [];
    for (const name of await readdir(this.#dirs.instancesDir)) {
      const record = await this.#read(name);
      if (record?.spec.id === name) {
        records.push(record);
      } else {
        broken.push(name);
      }
    }
    return { records, broken };
  }

  /**
   * Writes a record; the folder is there. When it settles, an end of this process cannot undo it. The disk has it a little
   * later: nobody waits for that, since a power cut ends the instance as well.
   */
  save(record: InstanceRecord): Promise<void> {
    return this.#writerOf(record.spec.id).latest.write(record);
  }

  /** The same at once, for a start: its process must not be there before its record is. */
  saveNow(record: InstanceRecord): void {
    const { recordFile } = placesOf(record.spec.id, this.#dirs);
    this.#writerOf(record.spec.id).version += 1;
    writeFileAtomicSync(recordFile, formatInstanceRecord(record), { mode: 0o600 });
    syncInBackground(recordFile);
  }

  /** Ends the writing of an instance's record, before its folder is removed. */
  async close(id: string): Promise<void> {
    await this.#writers.get(id)?.latest.close();
    this.#writers.delete(id);
  }

  /** Settles when nothing is being written. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#writers.keys()].map((id) => this.close(id)));
  }

  #writerOf(id: string): Writer {
    const known = this.#writers.get(id);
    if (known !== undefined) {
      return known;
    }
    const { recordFile } = placesOf(id, this.#dirs);
    const writer: Writer = {
      version: 0,
      latest: new LatestWriter(async (record) => {
        const { version } = writer;
        const isWanted = (): boolean => writer.version === version;
        await writeFileAtomic(recordFile, formatInstanceRecord(record), { mode: 0o600, durable: false, isWanted });
        syncInBackground(recordFile);
      }),
    };
    this.#writers.set(id, writer);
    return writer;
  }

  async #read(name: string): Promise<InstanceRecord | undefined> {
    try {
      return parseInstanceRecord(await readFile(join(this.#dirs.instancesDir, name, 'spec.json'), 'utf8'));
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
        return undefined;
      }
      throw error;
    }
  }
}

/** A failure to sync is a failure of the disk, of which the next write tells. */
function syncInBackground(path: string): void {
  syncFile(path).catch(() => undefined);
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
