// SPDX-License-Identifier: Apache-2.0
// Runs clang-tidy over the C++ that is compiled for ordinary programs (a guest's side of the Junction kernel is built
// with flags that clang does not share with gcc): node tools/checks/check-cpp-tidy.ts [source...]
// Tests are left out: the macros of GoogleTest cost it minutes a file. Needs the compile commands of the debug preset.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { text } from 'node:stream/consumers';

const build = 'native/build/debug';

interface CompileCommand {
  file: string;
  command: string;
}

const commands = JSON.parse(readFileSync(`${build}/compile_commands.json`, 'utf8')) as CompileCommand[];
const named = process.argv.slice(2);
const sources = commands
  .filter(
    ({ file, command }) =>
      file.endsWith('.cc') && !file.endsWith('_test.cc') && !command.includes('-mgeneral-regs-only'),
  )
  .map(({ file }) => file)
  .filter((file) => named.length === 0 || named.some((name) => file.endsWith(name)));

async function isClean(source: string): Promise<boolean> {
  const child = spawn('clang-tidy-19', ['-p', build, '--quiet', '--use-color=false', source], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [output, [code]] = (await Promise.all([text(child.stdout), once(child, 'close')])) as [string, [number | null]];
  if (code !== 0) console.error(output);
  return code === 0;
}

const queue = new Set(sources).values();
let faults = 0;
const worker = async (): Promise<void> => {
  for (const source of queue) if (!(await isClean(source))) faults += 1;
};
await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(`${new Set(sources).size} files, ${faults} with findings of clang-tidy`);
process.exitCode = faults === 0 ? 0 : 1;
