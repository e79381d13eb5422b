// SPDX-License-Identifier: Apache-2.0
// The source files that checks look at: what git tracks, or would track, below some folders.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Paths relative to the workspace root of all files below `folders` that are not ignored by git, sorted. */
export function sourceFiles(folders: string[], matches: RegExp): string[] {
  const out = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', ...folders], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const files = out.split('\0').filter((file) => matches.test(file) && existsSync(file));
  return [...new Set(files)].sort();
}
