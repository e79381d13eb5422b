// SPDX-License-Identifier: Apache-2.0
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';

let serial = 0;

/**
 * Replaces a file's content so that a reader, or a start after a crash, sees either the old or the new one, whole.
 * With `durable` the content is on the disk before this settles; without, only a power cut can undo it.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: {
    readonly mode: number;
    readonly durable: boolean;
    /** Asked right before the new content would take its place; false: it does not. */
    readonly isWanted?: () => boolean;
  },
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const handle = await open(temporary, 'wx', options.mode);
    try {
      await handle.writeFile(content);
      if (options.durable) {
        await handle.datasync();
      }
    } finally {
      await handle.close();
    }
    if (options.isWanted === undefined) {
      await rename(temporary, path);
    } else if (options.isWanted()) {
      // At once, so that the answer still holds.
      renameSync(temporary, path);
    } else {
      await rm(temporary, { force: true });
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The same at once, for small files that a start waits for; not durable. */
export function writeFileAtomicSync(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode: number },
): void {
  const temporary = temporaryName(path);
  try {
    writeFileSync(temporary, content, { mode: options.mode, flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function temporaryName(path: string): string {
  serial += 1;
  return `${path}.${process.pid}-${serial}.tmp`;
}
