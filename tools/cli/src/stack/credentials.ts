// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import type { StackPaths } from '@junctiond/config';

/** Makes the files of the gateway's basic auth where they are missing: user admin, a random password. */
export function ensureCredentials(paths: StackPaths): void {
  mkdirSync(paths.authDir, { recursive: true, mode: 0o700 });
  const ensure = (file: string, text: string): void => {
    if (!existsSync(file)) writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  };
  ensure(paths.basicAuthUserFile, 'admin');
  ensure(paths.basicAuthPasswordFile, randomBytes(24).toString('base64url'));
}

/** The value of the Authorization header for the gateway's API. */
export function authorization(paths: StackPaths): string {
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  const pair = `${read(paths.basicAuthUserFile)}:${read(paths.basicAuthPasswordFile)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
