// SPDX-License-Identifier: Apache-2.0
import { expect, it } from '@jest/globals';
import { readBuildInfo } from './build-info.js';

it('knows the version and, in a checkout, the commit', () => {
  const { release, sha } = readBuildInfo();
  expect(release).toMatch(/^\d+\.\d+\.\d+$/);
  expect(sha).toMatch(/^(?:[0-9a-f]{40}|unknown)$/);
});
