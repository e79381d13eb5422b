// SPDX-License-Identifier: Apache-2.0
// As root, with the real unshare(1).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runCommand } from './command.js';
import { openNetworkNamespace } from './network-namespace.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/netns-');
});

afterEach(() => {
  try {
    execFileSync('umount', [join(folder, 'netns')], { stdio: 'ignore' });
  } catch {
    // It was not made.
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
