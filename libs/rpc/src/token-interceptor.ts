// SPDX-License-Identifier: Apache-2.0
import { createHash, timingSafeEqual } from 'node:crypto';
import { ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js';
import type { Secret } from '@junctiond/config';

// Digests are compared, not texts: equal length whatever the caller sends, and no early end.
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Refuses every call, those to health and reflection too, that does not carry `authorization: Bearer <token>`. */
export function tokenInterceptor(token: Secret): ServerInterceptor {
  const expected = digest(`Bearer ${token.reveal()}`);
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const [given] = metadata.get('authorization');
            if (typeof given === 'string' && timingSafeEqual(digest(given), expected)) {
              proceed(metadata);
            } else {
              call.sendStatus({ code: status.UNAUTHENTICATED, details: 'the call carries no valid token' });
            }
          },
        });
      },
    });
}
