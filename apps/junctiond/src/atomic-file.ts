// SPDX-License-Identifier: Apache-2.0
import { open, rename, rm } from 'node:fs/promises';

let serial = 0;

/**
 * Replaces a file's content so that a reader, or a start after a crash, sees either the old or the new one, whole.
 * With `durable` the content is on the disk before this settles; without, only a power cut can undo it.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode: number; readonly durable: boolean },
): Promise<void> {
  serial += 1;
  const temporary = `${path}.${process.pid}-${serial}.tmp`;
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
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
