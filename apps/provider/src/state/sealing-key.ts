// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SEALING_KEY_BYTES } from '@junctiond/function-state';

/**
 * The key that secrets are sealed with. A missing file is made, readable by its owner only.
 * Throws when the file holds no key: a new one would make all secrets unreadable.
 */
export function loadSealingKey(file: string): Buffer {
  const text = read(file) ?? create(file);
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== SEALING_KEY_BYTES) {
    throw new Error(`${file} does not hold a key of ${SEALING_KEY_BYTES} bytes in base64`);
  }
  return key;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

/** Written aside and linked into place, so that nobody reads half a key and the first of two providers wins. */
function create(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const scratch = `${file}.${process.pid}.new`;
  writeFileSync(scratch, `${randomBytes(SEALING_KEY_BYTES).toString('base64')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(scratch, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  } finally {
    rmSync(scratch, { force: true });
  }
  return readFileSync(file, 'utf8');
}
