// SPDX-License-Identifier: Apache-2.0
// On the cgroups of this host (as root), and on plain folders that stand in for a host with version 2 only.
import { spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '@junctiond/testing';

import { cgroupDirs, type CgroupTree, findCgroups } from './cgroup-tree.js';
import { CgroupService } from './cgroup.service.js';

const limits = { memoryBytes: 64n << 20n, pids: 32, cpuMillicores: 1500n };

describe('CgroupService on this host', () => {
  const stack = `junctiond-spec-${process.pid}`;
  const tree = findCgroups(readFileSync('/proc/self/mountinfo', 'utf8'), (dir) =>
    readFileSync(join(dir, 'cgroup.controllers'), 'utf8'),
  );
  let service: CgroupService;

  beforeEach(() => {
    service = new CgroupService(tree, stack);
    service.open();
  });

  afterEach(async () => {
    for (const id of service.list()) service.remove(id);
    for (const dir of cgroupDirs(tree, stack)) await rmdir(dir);
  });

  it('makes, limits, measures and removes the cgroups of an instance', async () => {
    service.create('one', limits);
    service.create('one', limits);
    expect(service.list()).toEqual(['one']);
    const dirs = service.dirsOf('one');
    expect(dirs.length).toBeGreaterThan(0);
    await Promise.all(dirs.map((dir) => access(dir)));

    const child = spawn('/bin/sh', ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'ignore'] });
    await Promise.all(dirs.map((dir) => writeFile(join(dir, 'cgroup.procs'), String(child.pid))));
    const usage = await service.usage('one');
    if (!service.missing.includes('memory')) expect(usage.memoryBytes).toBeGreaterThanOrEqual(0n);
    if (!service.missing.includes('cpuacct')) expect(usage.cpuNs).toBeGreaterThanOrEqual(0n);
    expect(service.remove('one')).toBe(false);

    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await until('an empty cgroup', () => service.remove('one'));
    expect(service.list()).toEqual([]);
    expect(service.remove('one')).toBe(true);
    await expect(service.usage('one')).resolves.toEqual({});
  });

  it('writes the limits that the host has controllers for', async () => {
    service.create('one', limits);
    service.limitCpu('one', 500n);
    const read = (dir: string | undefined, file: string): Promise<string> =>
      readFile(join(dir ?? '', stack, 'one', file), 'utf8');
    if (tree.v1.memory !== undefined) {
      await expect(read(tree.v1.memory, 'memory.limit_in_bytes')).resolves.toBe('67108864\n');
    }
    if (tree.v1.pids !== undefined) {
      await expect(read(tree.v1.pids, 'pids.max')).resolves.toBe('32\n');
    }
    if (tree.v1.cpu !== undefined) {
      await expect(read(tree.v1.cpu, 'cpu.cfs_quota_us')).resolves.toBe('50000\n');
    }
  });
});

describe('CgroupService on version 2', () => {
  let root: string;
  let service: CgroupService;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cgroup-'));
    const tree: CgroupTree = { v1: {}, v2: root, v2Controllers: ['memory', 'pids', 'cpu'] };
    service = new CgroupService(tree, 'junctiond-test');
    service.open();
  });

  afterEach(() => rm(root, { recursive: true }));

  it('hands its controllers down and writes limits', async () => {
    await expect(readFile(join(root, 'cgroup.subtree_control'), 'utf8')).resolves.toBe('+memory +pids +cpu');
    const stack = join(root, 'junctiond-test');
    await expect(readFile(join(stack, 'cgroup.subtree_control'), 'utf8')).resolves.toBe('+memory +pids +cpu');
    await mkdir(join(stack, 'one'));
    await writeFile(join(stack, 'one/memory.swap.max'), '');
    service.create('one', limits);
    const files = await readdir(join(stack, 'one'));
    const content = await Promise.all(
      files.map(async (file) => [file, await readFile(join(stack, 'one', file), 'utf8')]),
    );
    expect(Object.fromEntries(content)).toEqual({
      'memory.max': '67108864',
      'memory.swap.max': '0',
      'pids.max': '32',
      'cpu.max': '150000 100000',
    });
    expect(service.missing).toEqual([]);
  });

  it('reads use', async () => {
    service.create('one', limits);
    await writeFile(join(root, 'junctiond-test/one/cpu.stat'), 'usage_usec 1234\nuser_usec 1\n');
    await writeFile(join(root, 'junctiond-test/one/memory.current'), '4096\n');
    await expect(service.usage('one')).resolves.toEqual({ cpuNs: 1_234_000n, memoryBytes: 4096n });
  });

  it('says what a host without controllers does not limit', () => {
    expect(new CgroupService({ v1: {}, v2: root, v2Controllers: [] }, 'x').missing).toEqual(['memory', 'pids', 'cpu']);
    expect(new CgroupService({ v1: {}, v2Controllers: [] }, 'x').missing).toEqual(['memory', 'pids', 'cpu', 'cpuacct']);
  });
});
