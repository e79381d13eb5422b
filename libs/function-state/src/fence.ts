// SPDX-License-Identifier: Apache-2.0
import { StateError } from './state.error.js';

/** The lease epoch under which the stores of this process write. Set by whoever keeps the lease. */
export class Fence {
  #epoch: number | undefined;

  /** Undefined: this process does not hold the lease. */
  set epoch(epoch: number | undefined) {
    this.#epoch = epoch;
  }

  /** For a script's ARGV[1]. Throws StateError `fenced` when the lease is not held. */
  require(): number {
    if (this.#epoch === undefined) {
      throw fenced();
    }
    return this.#epoch;
  }
}

/** The error for a write that another provider's lease forbids. */
export function fenced(): StateError {
  return new StateError('fenced', 'this provider does not hold the lease on the state store');
}
