// SPDX-License-Identifier: Apache-2.0
import { copyFileSync, statSync, truncateSync } from 'node:fs';

/** A log larger than this is copied to `<file>.1` and begun anew. */
export const maxLogBytes = 16 << 20;

/**
 * Bounds a log that programs hold open for appending. Lines written between the copy and the cut are lost; that is the
 * price of not standing between a program and its log.
 */
export function rotateLog(file: string, maxBytes: number = maxLogBytes): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxBytes) return false;
  copyFileSync(file, `${file}.1`);
  truncateSync(file, 0);
  return true;
}
