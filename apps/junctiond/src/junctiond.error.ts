// SPDX-License-Identifier: Apache-2.0

/** What went wrong, in the words of gRPC's status codes; the rpc lib turns `kind` into the status. */
export type JunctiondErrorKind =
  | 'not_found'
  | 'invalid_argument'
  | 'already_exists'
  | 'failed_precondition'
  | 'resource_exhausted'
  | 'unavailable'
  | 'deadline_exceeded'
  | 'unimplemented'
  | 'permission_denied'
  | 'internal';

/** An expected failure, with a message that a person can act on and no secret in it. */
export class JunctiondError extends Error {
  readonly kind: JunctiondErrorKind;

  constructor(kind: JunctiondErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JunctiondError';
    this.kind = kind;
  }
}

/** The code of a system error (`ENOENT`, …), or undefined for any other value. */
export function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** A caught value as text. */
export function errorText(error: unknown): string {
  return hasMessage(error) ? error.message : String(error);
}

/** By its form, not its class: errors of Node.js's own modules are of another realm in tests. */
function hasMessage(error: unknown): error is { message: string } {
  return typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string';
}
