// SPDX-License-Identifier: Apache-2.0
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { StateError } from './state.error.js';

/** AES-256 takes a key of 32 bytes (FIPS 197). */
export const SEALING_KEY_BYTES = 32;
/** GCM's nonce of 96 bits and tag of 128 bits (NIST SP 800-38D, 5.2.1.1 and 5.2.1.2). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts secrets before they go to Redis, so that neither its memory, its files, a backup of these nor an outside
 * Redis shows them. A sealed value is bound to its place: one that was moved to another name does not open.
 * Layout, base64: nonce (12) | tag (16) | ciphertext.
 */
export class SecretSealer {
  readonly #key: Buffer;
  readonly #nonce: () => Buffer;

  /** The key has SEALING_KEY_BYTES bytes, or RangeError. A nonce must never come twice under one key. */
  constructor(key: Uint8Array, nonce: () => Buffer = () => randomBytes(NONCE_BYTES)) {
    if (key.length !== SEALING_KEY_BYTES) {
      throw new RangeError(`a sealing key has ${String(SEALING_KEY_BYTES)} bytes, not ${String(key.length)}`);
    }
    this.#key = Buffer.from(key);
    this.#nonce = nonce;
  }

  seal(place: string, value: Uint8Array): string {
    const nonce = this.#nonce();
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(place));
    const body = Buffer.concat([cipher.update(value), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
  }

  /** Throws StateError `unreadable`: another key, another place or a changed value. */
  open(place: string, sealed: string): Buffer {
    const bytes = Buffer.from(sealed, 'base64');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(place));
      decipher.setAuthTag(tag);
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    } catch (error) {
      throw new StateError('unreadable', `the secret ${place} was sealed with another key or changed`, {
        cause: error,
      });
    }
  }
}
