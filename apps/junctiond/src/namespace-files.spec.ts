// SPDX-License-Identifier: Apache-2.0
// As root, with the real unshare(1); junction_run's own tests make real mount namespaces.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runCommand } from './command.js';
import { openMountNamespace, openNetworkNamespace } from './namespace-files.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/namespaces-');
});

afterEach(() => {
  for (const name of ['netns', 'mntns']) {
    try {
      execFileSync('umount', [join(folder, name)], { stdio: 'ignore' });
    } catch {
      // It was not made.
    }
  }
  rmSync(folder, { recursive: true });
});

describe('openNetworkNamespace', () => {
  it('makes an empty namespace, once', async () => {
    const file = join(folder, 'netns');
    await openNetworkNamespace(file, runCommand);
    const { ino } = statSync(file);
    expect(ino).not.toBe(statSync('/proc/self/ns/net').ino);
    const links = execFileSync('nsenter', [`--net=${file}`, 'cat', '/proc/net/dev'], { encoding: 'utf8' });
    expect(links.match(/^ *\w+:/gm)).toEqual(['    lo:']);

    await openNetworkNamespace(file, () => Promise.reject(new Error('asked again')));
    expect(statSync(file).ino).toBe(ino);
  });

  it('says why it cannot', async () => {
    const refused = openNetworkNamespace(join(folder, 'netns'), () =>
      Promise.resolve({
        exitCode: 1,
        stdout: Buffer.alloc(0),
        stderr: 'unshare: unshare failed: Operation not permitted\n',
        hasTimedOut: false,
        hasOverflowed: false,
      }),
    );
    await expect(refused).rejects.toThrow('Operation not permitted');
  });
});

describe('openMountNamespace', () => {
  it('asks junction_run for one, once', async () => {
    const file = join(folder, 'mntns');
    const asked: (readonly string[])[] = [];
    await openMountNamespace(file, '/opt/junction_run', async (command) => {
      asked.push([command.file, ...command.args]);
      writeFileSync(file, '');
      return runCommand({ ...command, file: 'mount', args: ['--bind', '/proc/self/ns/uts', file] });
    });
    await openMountNamespace(file, '/opt/junction_run', () => Promise.reject(new Error('asked again')));
    expect(asked).toEqual([['/opt/junction_run', '--make_mntns', file]]);
  });

  it('says why there is none', async () => {
    const refused = openMountNamespace(join(folder, 'mntns'), 'false', runCommand);
    await expect(refused).rejects.toThrow('false --make_mntns: it did not do it');
  });
});
