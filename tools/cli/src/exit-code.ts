// SPDX-License-Identifier: Apache-2.0

/** The exit codes of ./junction; 2 is also what commander uses for wrong arguments. */
export const exitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** The question was answered with no: something is down, a target is missed, something is missing. */
  no: 3,
} as const;

/** An expected failure that ends the command: its message is all that is shown. */
export class CommandError extends Error {
  readonly code: number;

  constructor(message: string, code: number = exitCode.failed) {
    super(message);
    this.name = 'CommandError';
    this.code = code;
  }
}
