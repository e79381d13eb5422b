// SPDX-License-Identifier: Apache-2.0
import { createCipheriv } from 'node:crypto';

/** What the AES functions answer, from Node's own AES. */
export function encryptedHex(plain: Buffer | string, key = '000102030405060708090a0b0c0d0e0f'): string {
  return createCipheriv('aes-128-ctr', Buffer.from(key, 'hex'), Buffer.alloc(16)).update(plain).toString('hex');
}
