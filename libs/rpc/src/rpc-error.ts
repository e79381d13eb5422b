// SPDX-License-Identifier: Apache-2.0

/** What went wrong with a call, independent of gRPC. The words are those of gRPC's status codes. */
export type ErrorKind =
  | 'cancelled'
  | 'invalid_argument'
  | 'deadline_exceeded'
  | 'not_found'
  | 'already_exists'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'aborted'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'unauthenticated';

/**
 * An expected failure with a kind. Domain libs throw errors of their own with a `kind` property: servers translate
 * any such error to a status, clients turn each status back into an RpcError.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    readonly kind: ErrorKind,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }
}

/** True for every error that says its kind, of whatever class. */
export function hasKind(error: unknown): error is Error & { readonly kind: ErrorKind } {
  return error instanceof Error && 'kind' in error && typeof error.kind === 'string' && isErrorKind(error.kind);
}

const kinds: ReadonlySet<string> = new Set<ErrorKind>([
  'cancelled',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'unimplemented',
  'internal',
  'unavailable',
  'unauthenticated',
]);

function isErrorKind(text: string): text is ErrorKind {
  return kinds.has(text);
}
