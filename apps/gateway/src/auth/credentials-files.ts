// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, Secret } from '@junctiond/config';
import { Credentials } from './credentials.js';

/** Chosen: 192 bits, without characters that a shell or URL would have to quote. */
const newPassword = (): string => randomBytes(24).toString('base64url');

/**
 * Reads the credentials, and makes what is missing: user `admin`, a random password, files of mode 0600.
 * @throws ConfigError when a file is empty, has more than one line, or cannot be read or made.
 */
export function ensureCredentials(files: { readonly userFile: string; readonly passwordFile: string }): Credentials {
  const faults: string[] = [];
  const ensure = (file: string, make: () => string): string => {
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      createOnce(file, make);
      const content = readFileSync(file, 'utf8').trim();
      if (content === '') faults.push(`${file} is empty`);
      if (/[\r\n]/.test(content)) faults.push(`${file} has more than one line`);
      return content;
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      return '';
    }
  };
  const user = ensure(files.userFile, () => 'admin');
  const password = ensure(files.passwordFile, newPassword);
  // RFC 7617 section 2: the first colon ends the user name.
  if (user.includes(':')) faults.push(`${files.userFile} holds a colon`);
  if (faults.length > 0) throw new ConfigError('gateway', faults);
  return new Credentials(user, new Secret(password));
}

/** `wx`: of several that start together one makes the file and the others read it. */
function createOnce(file: string, make: () => string): void {
  try {
    writeFileSync(file, make(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
