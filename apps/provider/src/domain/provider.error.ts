// SPDX-License-Identifier: Apache-2.0

/** Kinds that the rpc library turns into gRPC status codes. */
export type ProviderErrorKind =
  'invalid_argument' | 'not_found' | 'already_exists' | 'failed_precondition' | 'unavailable' | 'internal';

/** An expected failure of a call; its message is for the user who made it. */
export class ProviderError extends Error {
  readonly kind: ProviderErrorKind;

  constructor(kind: ProviderErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProviderError';
    this.kind = kind;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
