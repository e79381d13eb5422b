// SPDX-License-Identifier: Apache-2.0
// Checks the format of all sources, or corrects it with --fix: prettier for TypeScript, JSON, YAML and Markdown,
// clang-format for C++. node tools/checks/check-format.ts [--fix] [file or folder...]
import { spawnSync } from 'node:child_process';

import { sourceFiles } from './source-files.ts';

const isFix = process.argv.includes('--fix');
const named = process.argv.slice(2).filter((word) => word !== '--fix');
const places = named.length > 0 ? named : ['.'];

/** Whether `command` finds nothing to complain about in `files`. */
function passes(command: string, args: string[], files: string[]): boolean {
  if (files.length === 0) return true;
  const result = spawnSync(command, [...args, ...files], { stdio: 'inherit' });
  if (result.error !== undefined) console.error(`${command}: ${result.error.message}`);
  return result.status === 0;
}

const text = sourceFiles(places, /\.(ts|js|mjs|json|ya?ml|md|css|html)$/);
const cpp = sourceFiles(places, /\.(cc|h)$/);
const prettier = ['node_modules/prettier/bin/prettier.cjs', isFix ? '--write' : '--check', '--log-level', 'warn'];
const clang = [...(isFix ? ['-i'] : ['--dry-run', '-Werror']), '--style=file'];
const isTextGood = passes(process.execPath, prettier, text);
const isCppGood = passes('clang-format-19', clang, cpp);
const isGood = isTextGood && isCppGood;
console.log(`format of ${text.length + cpp.length} files ${isFix ? 'corrected' : isGood ? 'is right' : 'has faults'}`);
process.exitCode = isGood ? 0 : 1;
