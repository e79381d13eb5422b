// SPDX-License-Identifier: Apache-2.0

/**
 * What went wrong, for the caller to act on:
 * - `unavailable`: Redis cannot be reached or refuses; try again later. The outcome of a change is unknown.
 * - `fenced`: another provider holds the lease; nothing was changed.
 * - `not-found`, `already-exists`, `namespace-missing`, `not-empty`: the request does not fit the state.
 * - `unreadable`: a record is broken or of a newer schema, or a secret was sealed with another key.
 */
export type StateErrorCode =
  'unavailable' | 'fenced' | 'not-found' | 'already-exists' | 'namespace-missing' | 'not-empty' | 'unreadable';

/** The status that such an error becomes at a gRPC edge; see the rpc library. */
const KINDS = {
  unavailable: 'unavailable',
  fenced: 'unavailable',
  'not-found': 'not_found',
  'already-exists': 'already_exists',
  'namespace-missing': 'invalid_argument',
  'not-empty': 'failed_precondition',
  unreadable: 'internal',
} as const satisfies Record<StateErrorCode, string>;

/** The only error that this library's stores throw. */
export class StateError extends Error {
  readonly code: StateErrorCode;

  constructor(code: StateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StateError';
    this.code = code;
  }

  get kind(): (typeof KINDS)[StateErrorCode] {
    return KINDS[this.code];
  }
}
