// SPDX-License-Identifier: Apache-2.0
// Compilers are named by their Debian path: another Go or C++ on PATH would give other bytes.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';

const GO = '/usr/lib/go-1.19/bin/go';
const CXX = '/usr/bin/g++';

/** Versions of the compilers: part of what an image depends on. */
export function compilerVersions(): string {
  return `${runCommand(found(GO, 'golang-go'), ['version'])}${runCommand(found(CXX, 'g++'), ['--version'])}`;
}

/** Compiles a Go package of the module at `root` to a static binary at `output`. */
export function compileGo(root: string, folder: string, output: string): void {
  mkdirSync(join(output, '..'), { recursive: true });
  const flags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w -buildid='];
  runCommand(found(GO, 'golang-go'), ['build', ...flags, '-o', output, `./${folder}`], {
    cwd: root,
    env: { CGO_ENABLED: '0', GOFLAGS: '', GOARCH: 'amd64', GOOS: 'linux', GOTOOLCHAIN: 'local', GOPROXY: 'off' },
  });
}

/** Compiles all .cc files of a folder to a dynamic binary at `output`. */
export function compileCpp(root: string, folder: string, libraries: readonly string[], output: string): void {
  mkdirSync(join(output, '..'), { recursive: true });
  const sources = readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.cc'))
    .sort()
    .map((name) => `${folder}/${name}`);
  const flags = ['-std=c++23', '-O2', '-Wall', '-Wextra', '-Werror', '-s'];
  const links = libraries.map((library) => `-l${library}`);
  runCommand(found(CXX, 'g++'), [...flags, ...sources, '-o', output, ...links], { cwd: root });
}

function found(program: string, debianPackage: string): string {
  if (existsSync(program)) return program;
  throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
}
