// SPDX-License-Identifier: Apache-2.0
import { parseDuration } from '@junctiond/config';

/**
 * Milliseconds of a duration as OpenFaaS users write it: Go's form (`1m30s`, `500ms`) or whole seconds (`90`).
 * Undefined when it is neither.
 */
export function parseDurationMs(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : parseDuration(text);
}
