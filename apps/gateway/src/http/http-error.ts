// SPDX-License-Identifier: Apache-2.0

/** An answer that is not a success: the body says what is wrong, on which hop, and which limit was met. */
export class HttpError extends Error {
  override readonly name = 'HttpError';

  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}
