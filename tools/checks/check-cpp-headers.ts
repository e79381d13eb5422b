// SPDX-License-Identifier: Apache-2.0
// Compiles each C++ header of native/src alone, so that each includes what it uses:
// node tools/checks/check-cpp-headers.ts [header...]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { text } from 'node:stream/consumers';

import { sourceFiles } from './source-files.ts';

/** Headers that the build generates are looked up in whichever build folder exists. */
const generated = ['debug', 'release', 'asan', 'tsan'].map((preset) => `native/build/${preset}/generated`);

const flags = [
  ...['-std=gnu++23', '-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-Wno-pragma-once-outside-header'],
  ...['-x', 'c++', '-Inative/src', ...generated.filter((folder) => existsSync(folder)).map((folder) => `-I${folder}`)],
  ...['-isystem', 'node_modules/node-api-headers/include', '-isystem', 'node_modules/node-addon-api'],
  ...['-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS'],
];

async function compiles(header: string): Promise<boolean> {
  const child = spawn('g++', [...flags, '-include', header, '/dev/null'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [output, [code]] = (await Promise.all([text(child.stderr), once(child, 'close')])) as [string, [number | null]];
  if (code !== 0) console.error(`${header} does not compile alone:\n${output}`);
  return code === 0;
}

const named = process.argv.slice(2);
const headers = named.length > 0 ? named : sourceFiles(['native/src'], /\.h$/);
const queue = headers.values();
let faults = 0;
const worker = async (): Promise<void> => {
  for (const header of queue) if (!(await compiles(header))) faults += 1;
};
await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(`${headers.length} headers, ${faults} do not compile alone`);
process.exitCode = faults === 0 ? 0 : 1;
