// SPDX-License-Identifier: Apache-2.0
// What a stack may leave on the host when its programs were killed: mounts, cgroups, its run folder.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

import type { StackPaths } from '@junctiond/config';

/** proc(5), mountinfo: spaces and the like in a mount point are written in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** Mount points below `folder`, innermost first. */
export function mountsBelow(folder: string, mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .reverse();
}

/** The stack's cgroup folders in every hierarchy (v1 controllers, or v2). */
function cgroupFolders(cgroup: string): string[] {
  const hierarchies = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => unescape(line.split(' ')[4] ?? ''));
  // A hierarchy may be mounted more than once at a place.
  return [...new Set(hierarchies)].map((root) => join(root, cgroup)).filter((folder) => existsSync(folder));
}

function removeCgroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
  }
  rmdirSync(folder);
}

/** Does one thing; answers what went wrong, in a sentence. */
export function attempt(what: string, work: () => void): string[] {
  try {
    work();
    return [];
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Removes what is left of a stack that is down; answers what could not be removed, one sentence each. */
export function removeLeftovers(paths: StackPaths): string[] {
  const faults: string[] = [];
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
  for (const point of [paths.runDir, paths.stateDir].flatMap((folder) => mountsBelow(folder, mountinfo))) {
    faults.push(...attempt(`mount ${point}`, () => execFileSync('umount', ['--lazy', point], { stdio: 'pipe' })));
  }
  for (const folder of cgroupFolders(paths.cgroup)) {
    if (!existsSync(folder)) continue; // it was the same one under another name (cpu and cpu,cpuacct)
    faults.push(...attempt(`cgroup ${folder}`, () => removeCgroup(folder)));
  }
  faults.push(...attempt(`folder ${paths.runDir}`, () => rmSync(paths.runDir, { recursive: true, force: true })));
  return faults;
}
