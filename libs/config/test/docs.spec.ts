// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

it('finds the documents as the schemas of the apps make them', () => {
  const root = join(import.meta.dirname, '../../..');
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '--conditions=@junctiond/source',
      ...['--import', './tools/workspace/register-source.ts'],
      ...['libs/config/tools/generate-docs.ts', '--check'],
    ],
    { cwd: root, encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
