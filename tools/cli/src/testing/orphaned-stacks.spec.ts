// SPDX-License-Identifier: Apache-2.0
import { expect, it } from '@jest/globals';

import { orphans } from './orphaned-stacks.ts';

it('names the stacks of tests that have ended, and nobody else’s', () => {
  const stacks = ['junction', 'e2e-100-7', 'e2e-200-1', 'e2e-100-7', 'e2e-mine', 'bench'];
  expect(orphans(stacks, (pid) => pid === 200)).toEqual(['e2e-100-7']);
});
