// SPDX-License-Identifier: Apache-2.0
// Runs the jest tests of one project: node tools/workspace/run-jest.ts <project root> <name> [jest options].
// The result goes to .results/unit/<name>.json (.results/<name>.json if the name has a folder), from which
// `./junction test` takes its sum.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const [projectRoot, name, ...rest] = process.argv.slice(2);
if (projectRoot === undefined || name === undefined) {
  console.error('usage: run-jest.ts <project root> <name> [jest options]');
  process.exit(2);
}
const resultFile = `.results/${name.includes('/') ? name : `unit/${name}`}.json`;
mkdirSync(dirname(resultFile), { recursive: true });
const args = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
  ...['--config', 'jest.config.js', '--rootDir', projectRoot, '--passWithNoTests'],
  ...(rest.includes('--runInBand') ? [] : ['--maxWorkers', '2']),
  ...['--json', '--outputFile', resultFile],
  ...rest,
];
const result = spawnSync(process.execPath, args, { stdio: 'inherit' });
process.exit(result.status ?? 1);
