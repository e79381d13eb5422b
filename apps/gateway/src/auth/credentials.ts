// SPDX-License-Identifier: Apache-2.0
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '@junctiond/config';

// Digests are compared, not texts: equal length whatever the client sends, and no early end.
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The one user of the API. The password is accepted as a bearer token too. */
export class Credentials {
  readonly #basic: Buffer;
  readonly #bearer: Buffer;

  constructor(
    readonly user: string,
    readonly password: Secret,
  ) {
    this.#basic = digest(`${user}:${password.reveal()}`);
    this.#bearer = digest(password.reveal());
  }

  /** Whether an Authorization header (RFC 9110 section 11.6.2) carries them. Takes equally long for each wrong one. */
  accept(authorization: string | undefined): boolean {
    const match = /^(basic|bearer) +([\x21-\x7e]+) *$/i.exec(authorization ?? '');
    if (match === null) return false;
    const [, scheme = '', value = ''] = match;
    return scheme.toLowerCase() === 'basic'
      ? timingSafeEqual(digest(Buffer.from(value, 'base64').toString('utf8')), this.#basic)
      : timingSafeEqual(digest(value), this.#bearer);
  }
}
