// SPDX-License-Identifier: Apache-2.0
import { fenced } from './fence.js';
import { StateError } from './state.error.js';

/**
 * Throws the error for a script's status word; `ok` passes. `what` names the thing (`secret key`), `namespace` where it is.
 */
export function throwUnlessOk(status: string | undefined, what: string, namespace?: string): void {
  const place = namespace === undefined ? '' : ` in namespace ${namespace}`;
  switch (status) {
    case 'ok':
      return;
    case 'fenced':
      throw fenced();
    case 'namespace-missing':
      throw new StateError('namespace-missing', `namespace ${namespace ?? ''} does not exist`);
    case 'already-exists':
      throw new StateError('already-exists', `${what} exists already${place}`);
    default:
      throw new StateError('not-found', `${what} does not exist${place}`);
  }
}
