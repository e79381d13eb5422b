// SPDX-License-Identifier: Apache-2.0

/** `1 instance`, `2 instances`; for nouns that take an s. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
