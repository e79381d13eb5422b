// SPDX-License-Identifier: Apache-2.0
// Builds and tests native/ by its CMake presets:
//   node tools/workspace/native.ts build <preset>
//   node tools/workspace/native.ts test <preset>   (builds first; the result goes to .results/native-<preset>/ctest.xml)
//   node tools/workspace/native.ts test <preset> <target>... [--except REGEX]   (only these test programs; without cases of such names)
// JUNCTION_BUILD_JOBS limits the jobs that run side by side.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const presets = ['release', 'debug', 'asan', 'tsan'];
const { values, positionals } = parseArgs({ options: { except: { type: 'string' } }, allowPositionals: true });
const [verb, preset, ...targets] = positionals;
if ((verb !== 'build' && verb !== 'test') || preset === undefined || !presets.includes(preset)) {
  console.error(`usage: native.ts build|test ${presets.join('|')} [TARGET...] [--except REGEX]`);
  process.exit(2);
}

function run(command: string, args: string[]): void {
  const result = spawnSync(command, args, { cwd: 'native', stdio: 'inherit' });
  if (result.error !== undefined) console.error(`${command}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const jobs = process.env['JUNCTION_BUILD_JOBS'] ?? String(availableParallelism());
run('cmake', [
  '--preset',
  preset,
  `-DBUILD_TESTING=${preset === 'release' ? 'OFF' : 'ON'}`,
  '-Wno-dev',
  '--log-level=WARNING',
]);
run('cmake', ['--build', '--preset', preset, '-j', jobs, ...(targets.length === 0 ? [] : ['--target', ...targets])]);
if (verb === 'test') {
  const results = resolve(`.results/native-${preset}`);
  mkdirSync(results, { recursive: true });
  const junit = `${results}/ctest.xml`;
  rmSync(junit, { force: true });
  const chosen = targets.length === 0 ? [] : ['-L', `^(${targets.join('|')})$`];
  const left = values.except === undefined ? [] : ['-E', values.except];
  run('ctest', [
    ...['--preset', preset, '--output-junit', junit, '--no-tests=error', '--timeout', '120'],
    ...chosen,
    ...left,
  ]);
}
