// SPDX-License-Identifier: Apache-2.0
// Runs the jest tests of one project: node tools/workspace/run-jest.ts <project root> <project name> [jest options].
// The result goes to .results/unit/<project name>.json, from which `./junction test` takes its sum.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

const [projectRoot, projectName, ...rest] = process.argv.slice(2);
if (projectRoot === undefined || projectName === undefined) {
  console.error('usage: run-jest.ts <project root> <project name> [jest options]');
  process.exit(2);
}
mkdirSync('.results/unit', { recursive: true });
const args = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
  ...['--config', 'jest.config.js', '--rootDir', projectRoot, '--passWithNoTests', '--maxWorkers', '2'],
  ...['--json', '--outputFile', `.results/unit/${projectName}.json`],
  ...rest,
];
const result = spawnSync(process.execPath, args, { stdio: 'inherit' });
process.exit(result.status ?? 1);
