// SPDX-License-Identifier: Apache-2.0

/** junctiond's limit for an id. */
const MAX_ID_LENGTH = 63;
const SUFFIX_LENGTH = 8;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/**
 * An id for a new replica: the function's name as far as an id can show it, and eight random characters (36^8, so that
 * two replicas of a function never meet). `random` answers a whole number in [0, bound).
 */
export function makeInstanceId(functionName: string, random: (bound: number) => number): string {
  const readable = functionName
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, MAX_ID_LENGTH - SUFFIX_LENGTH - 1);
  const suffix = Array.from({ length: SUFFIX_LENGTH }, () => ALPHABET.charAt(random(ALPHABET.length))).join('');
  return `${readable}-${suffix}`;
}
