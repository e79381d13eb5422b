// SPDX-License-Identifier: Apache-2.0

/** The value, which the caller knows to be there; throws with `what` when that was wrong. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) {
    throw new Error(`missing: ${what}`);
  }
  return value;
}
