// SPDX-License-Identifier: Apache-2.0
import { createCipheriv, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Payload } from './load.ts';

/** The key of the AES functions unless AES_KEY sets another (functions/README.md). */
const key = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const bodyBytes = 600;

/** Writes 600 random bytes and what an AES function must answer to them, by our own AES, into `folder`. */
export function writeAesPayload(folder: string): Payload {
  const body = randomBytes(bodyBytes);
  const payload = { bodyFile: join(folder, 'body'), expectedFile: join(folder, 'expected') };
  writeFileSync(payload.bodyFile, body);
  writeFileSync(
    payload.expectedFile,
    createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(body).toString('hex'),
  );
  return payload;
}
