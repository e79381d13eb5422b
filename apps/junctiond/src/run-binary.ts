// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';

/** Where the native build puts junction_run; seen from src/ and from dist/ alike. */
export function defaultRunBinary(): string {
  return fileURLToPath(new URL('../../../native/build/release/junction_run', import.meta.url));
}
