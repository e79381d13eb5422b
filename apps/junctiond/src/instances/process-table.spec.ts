// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { findMonitors, parseStat } from './process-table.js';

let proc: string;
const uid = process.getuid?.() ?? 0;

beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'proc-'));
});

afterEach(() => rm(proc, { recursive: true }));

async function add(pid: number, parent: number, args: string[], state = 'S'): Promise<void> {
  await mkdir(join(proc, String(pid)));
  await writeFile(join(proc, String(pid), 'cmdline'), args.map((arg) => `${arg}\0`).join(''));
  const fields = [state, parent, ...Array.from({ length: 17 }, () => 0), pid * 10, 0, 0];
  await writeFile(join(proc, String(pid), 'stat'), `${pid} (a) b (c) ${fields.join(' ')}\n`);
}

const runOf = (id: string, dir = '/state/instances'): string[] => [
  '/opt/junction_run',
  'config',
  ...['--instance_dir', `${dir}/${id}`],
  ...['--', '/server'],
];

describe('findMonitors', () => {
  it('finds each instance’s monitor and not its guest', async () => {
    await add(10, 1, runOf('a'));
    await add(11, 10, runOf('a'));
    await add(20, 1, runOf('b'));
    await add(21, 20, ['/server']);
    expect(await findMonitors('/state/instances', uid, proc)).toEqual(
      new Map([
        ['a', [{ pid: 10, startTimeTicks: 100n }]],
        ['b', [{ pid: 20, startTimeTicks: 200n }]],
      ]),
    );
  });

  it('leaves out other stacks, other programs, the dead, and what only looks alike', async () => {
    await add(10, 1, runOf('a', '/other/instances'));
    await add(11, 1, ['/bin/sh', '--instance_dir', '/state/instances/a']);
    await add(12, 1, runOf('a'), 'Z');
    await add(13, 1, ['junction_run', 'config', '--', '--instance_dir', '/state/instances/a']);
    await add(14, 1, ['junction_run', '--instance_dir']);
    await add(15, 1, []);
    await mkdir(join(proc, '16'));
    expect(await findMonitors('/state/instances', uid, proc)).toEqual(new Map());
  });

  it('does not believe processes of other users, nor ids that are no plain names', async () => {
    await add(10, 1, runOf('a'));
    expect(await findMonitors('/state/instances', uid + 1, proc)).toEqual(new Map());
    await add(20, 1, runOf('..'));
    await add(21, 1, runOf('.'));
    await add(22, 1, runOf('-rf'));
    expect([...(await findMonitors('/state/instances', uid, proc)).keys()]).toEqual(['a']);
  });

  it('finds two monitors of one instance where there are two', async () => {
    await add(10, 1, runOf('a'));
    await add(20, 1, runOf('a'));
    expect((await findMonitors('/state/instances', uid, proc)).get('a')).toHaveLength(2);
  });

  it('runs on the real /proc', async () => {
    await expect(findMonitors('/no/such/folder')).resolves.toEqual(new Map());
  });
});

describe('parseStat', () => {
  it('reads this process', () => {
    expect(parseStat(readFileSync('/proc/self/stat', 'utf8'))).toMatchObject({
      parentPid: process.ppid,
      isZombie: false,
    });
    expect(parseStat('')).toBeUndefined();
  });
});
