// SPDX-License-Identifier: Apache-2.0

/** What a caller can tell apart: an errno name (`EADDRINUSE`, `ENOENT`, …) or one of ours. */
export type NativeErrorCode = string;

/**
 * Any failure of the native side. `code` is the name of the errno that describes it best, or
 * `ERR_NATIVE_LOAD` (the addon is not built or does not fit this Node.js),
 * `ERR_NATIVE_OPTION` (an argument is out of range: a fault of the caller),
 * `ERR_NATIVE_CLOSED` (the object was closed or stopped before),
 * `ERR_NATIVE_FORMAT` (a shared file or page is not what it should be).
 */
export class NativeError extends Error {
  readonly code: NativeErrorCode;

  constructor(code: NativeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NativeError';
    this.code = code;
  }
}

/** Turns whatever the addon threw into a NativeError and throws that; the only place where such errors are made. */
export function rethrowNative(cause: unknown): never {
  if (cause instanceof NativeError) {
    throw cause;
  }
  // Not instanceof: the addon makes its errors in the main realm, which need not be the caller's.
  if (typeof cause === 'object' && cause !== null && 'message' in cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : 'ERR_NATIVE';
    throw new NativeError(code, String(cause.message), { cause });
  }
  throw new NativeError('ERR_NATIVE', String(cause));
}

/** Runs `call` and turns what it throws into a NativeError. */
export function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    rethrowNative(error);
  }
}
