// SPDX-License-Identifier: Apache-2.0
import { HttpException } from '@nestjs/common';
import { formatAddress, formatBytes, type Address } from '@junctiond/config';
import { hasKind, type ErrorKind } from '@junctiond/rpc';
import { HttpError } from './http-error.js';

/** What answers speak of. */
export interface AnswerContext {
  readonly providerAddress: Address;
  readonly apiBodyLimitBytes: number;
}

/** Status of each kind of failure that a call to the provider may come back with. */
const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid_argument: 400,
  unauthenticated: 502, // The provider does not accept the gateway's token: not the client's fault.
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  failed_precondition: 409,
  aborted: 409,
  resource_exhausted: 429,
  cancelled: 499,
  internal: 500,
  unimplemented: 501,
  unavailable: 503,
  deadline_exceeded: 504,
};

/** The answer for anything that was thrown; undefined for a defect, which its caller logs and answers with 500. */
export function answerFor(error: unknown, context: AnswerContext): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (hasKind(error)) return new HttpError(statusOfKind[error.kind], describe(error, context));
  return fromFramework(error, context);
}

function describe(error: Error & { kind: ErrorKind }, { providerAddress }: AnswerContext): string {
  switch (error.kind) {
    case 'unavailable':
      return `gateway: the provider at ${formatAddress(providerAddress)} cannot be reached: ${error.message}`;
    case 'deadline_exceeded':
      return `gateway: the provider at ${formatAddress(providerAddress)} did not answer in time: ${error.message}`;
    case 'unauthenticated':
      return `gateway: the provider at ${formatAddress(providerAddress)} refuses the gateway: ${error.message}`;
    case 'internal':
    case 'unimplemented':
      return `provider: ${error.message}`;
    case 'aborted':
    case 'already_exists':
    case 'cancelled':
    case 'failed_precondition':
    case 'invalid_argument':
    case 'not_found':
    case 'permission_denied':
    case 'resource_exhausted':
      return error.message;
  }
}

/** Refusals of Fastify and Nest (a bad URL, a body that is too large) say their status; 500 and above are defects. */
function fromFramework(error: unknown, { apiBodyLimitBytes }: AnswerContext): HttpError | undefined {
  if (!(error instanceof HttpException)) return undefined;
  const status = error.getStatus();
  if (status === 413) {
    const limit = formatBytes(apiBodyLimitBytes);
    return new HttpError(413, `gateway: the body is larger than ${limit}, the limit of API requests`);
  }
  return status >= 400 && status < 500 ? new HttpError(status, `gateway: ${error.message}`) : undefined;
}
