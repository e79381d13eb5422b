// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runCommand } from '../command.js';
import { PatchPlanner } from './patch-planner.js';

let folder: string;
let rootfs: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'planner-'));
  await chmod(folder, 0o711);
  rootfs = join(folder, 'rootfs');
  await mkdir(rootfs, { mode: 0o700 });
  await writeFile(join(rootfs, 'secretive'), 'content', { mode: 0o600 });
});

afterEach(() => rm(folder, { recursive: true }));

/** A script in place of junction_plan: $2 is the folder for plans, $3 the image. */
async function plannerOf(script: string): Promise<PatchPlanner> {
  const file = join(folder, 'junction_plan');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return new PatchPlanner({ file, timeoutMs: 60_000 }, runCommand);
}

describe('PatchPlanner', () => {
  it('lets junction_plan read everything and write nothing but plans', async () => {
    const planner = await plannerOf(`
      cat "$3/secretive" > "$2/read"
      id -u > "$2/user"
      touch "$3/changed" "${folder}/changed" 2> /dev/null
      grep CapEff /proc/self/status > "$2/rights"`);
    const out = join(folder, 'plans');
    await planner.plan(rootfs, out).catch(() => undefined);
    await expect(readFile(join(out, 'read'), 'utf8')).resolves.toBe('content');
    await expect(readFile(join(out, 'user'), 'utf8')).resolves.toBe('65534\n');
    // CAP_DAC_READ_SEARCH is bit 2.
    await expect(readFile(join(out, 'rights'), 'utf8')).resolves.toMatch(/^CapEff:\t0*4\n$/);
    await expect(readdir(rootfs)).resolves.toEqual(['secretive']);
    expect((await stat(out)).uid).toBe(0);
  });

  it('says what went wrong', async () => {
    const planner = await plannerOf('echo cannot read that >&2; exit 1');
    await expect(planner.plan(rootfs, join(folder, 'plans'))).rejects.toThrow('cannot read that');
  });

  it('has a stamp that changes with the program, and none without one', async () => {
    const first = await (await plannerOf('exit 0')).stamp();
    expect(first).toMatch(/^[0-9a-z]+-[0-9a-z]+$/);
    expect(await (await plannerOf('exit 0 # another')).stamp()).not.toBe(first);
    const none = new PatchPlanner({ file: join(folder, 'none'), timeoutMs: 1000 }, runCommand);
    expect(await none.stamp()).toBeUndefined();
  });
});
