// SPDX-License-Identifier: Apache-2.0
// Errors at the edge, both ways: kinds to gRPC status codes in servers, status codes to kinds in clients.
import { status, type ServiceError } from '@grpc/grpc-js';
import { hasKind, RpcError, type ErrorKind } from './rpc-error.js';

const codeOfKind: Readonly<Record<ErrorKind, status>> = {
  cancelled: status.CANCELLED,
  invalid_argument: status.INVALID_ARGUMENT,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  not_found: status.NOT_FOUND,
  already_exists: status.ALREADY_EXISTS,
  permission_denied: status.PERMISSION_DENIED,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  failed_precondition: status.FAILED_PRECONDITION,
  aborted: status.ABORTED,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
  unavailable: status.UNAVAILABLE,
  unauthenticated: status.UNAUTHENTICATED,
};

const kindOfCode = new Map<status, ErrorKind>(
  (Object.entries(codeOfKind) as [ErrorKind, status][]).map(([kind, code]) => [code, kind]),
);

/** The status that a handler's error becomes. */
export interface ErrorStatus {
  readonly code: status;
  readonly details: string;
}

/**
 * Translates what a handler threw. An error without a kind is a defect: its text stays here (it may hold what a caller
 * must not see) and `onDefect` gets it.
 */
export function toStatus(error: unknown, onDefect: (error: unknown) => void): ErrorStatus {
  if (hasKind(error)) return { code: codeOfKind[error.kind], details: error.message };
  onDefect(error);
  return { code: status.INTERNAL, details: 'internal error, see the log of the server' };
}

/** Translates what a call came back with; the cause is kept. Codes without a kind of their own are `internal`. */
export function fromServiceError(error: ServiceError): RpcError {
  return new RpcError(kindOfCode.get(error.code) ?? 'internal', tidy(error.details || error.message), { cause: error });
}

/** grpc-js appends what it has no content for. */
function tidy(details: string): string {
  return details.replace(/\. Resolution note: $/, '').replace(/\. Last error: null$/, '');
}

/** True for errors that grpc-js makes, from a call's callback or stream. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
