// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { resolveGuestUser } from './guest-user.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'guest-user-'));
  await mkdir(join(root, 'etc'));
  await writeFile(
    join(root, 'etc/passwd'),
    '# comment\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\nhuge:x:70000:1::/:/bin/sh\nodd:x:12:13\n',
  );
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nstaff:x:50:app\n');
});

afterEach(() => rm(root, { recursive: true }));

describe('resolveGuestUser', () => {
  it.each([
    ['', { uid: 0, gid: 0, home: '/root' }],
    ['app', { uid: 1000, gid: 1001, home: '/home/app' }],
    ['1000', { uid: 1000, gid: 1001, home: '/home/app' }],
    ['4000', { uid: 4000, gid: 0, home: '/' }],
    ['app:staff', { uid: 1000, gid: 50, home: '/home/app' }],
    ['1000:7', { uid: 1000, gid: 7, home: '/home/app' }],
    ['0:0', { uid: 0, gid: 0, home: '/root' }],
    ['odd', { uid: 12, gid: 13, home: '/' }],
  ])('turns %j into numbers', async (text, expected) => {
    await expect(resolveGuestUser(root, text)).resolves.toEqual(expected);
  });

  it.each([
    ['nobody', 'no user "nobody"'],
    ['app:none', 'no group "none"'],
    ['65535', '0 to 65534'],
    ['0:65535', '0 to 65534'],
    ['huge', '0 to 65534'],
  ])('refuses %j', async (text, reason) => {
    await expect(resolveGuestUser(root, text)).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringContaining(reason),
    });
  });

  it('works without a passwd file for numbers and root', async () => {
    await rm(join(root, 'etc/passwd'));
    await expect(resolveGuestUser(root, '33:33')).resolves.toEqual({ uid: 33, gid: 33, home: '/' });
    await expect(resolveGuestUser(root, '')).resolves.toEqual({ uid: 0, gid: 0, home: '/' });
  });

  it('follows links inside the image and never out of it', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside-'));
    try {
      await writeFile(join(outside, 'passwd'), 'host:x:1:1::/:/bin/sh\n');
      await rm(join(root, 'etc/passwd'));
      await symlink(join(outside, 'passwd'), join(root, 'etc/passwd'));
      await expect(resolveGuestUser(root, 'host')).rejects.toMatchObject({ kind: 'invalid_argument' });

      await mkdir(join(root, 'usr'));
      await writeFile(join(root, 'usr/passwd'), 'inner:x:5:5::/:/bin/sh\n');
      await rm(join(root, 'etc/passwd'));
      await symlink('../../../../usr/passwd', join(root, 'etc/passwd'));
      await expect(resolveGuestUser(root, 'inner')).resolves.toMatchObject({ uid: 5 });

      await rm(join(root, 'etc/passwd'));
      await symlink('passwd', join(root, 'etc/passwd'));
      await expect(resolveGuestUser(root, 'inner')).rejects.toMatchObject({ kind: 'invalid_argument' });
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  it('does not read a folder or a huge file as a database', async () => {
    await rm(join(root, 'etc/passwd'));
    await mkdir(join(root, 'etc/passwd'));
    await expect(resolveGuestUser(root, 'app')).rejects.toMatchObject({ kind: 'invalid_argument' });
    await rm(join(root, 'etc/passwd'), { recursive: true });
    await writeFile(join(root, 'etc/passwd'), 'app:x:1:1::/:\n' + '#'.repeat(1024 * 1024));
    await expect(resolveGuestUser(root, 'app')).rejects.toMatchObject({ kind: 'invalid_argument' });
  });
});
