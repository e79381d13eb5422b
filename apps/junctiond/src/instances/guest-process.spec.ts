// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { ImageConfig } from '../images/image-config.js';
import { GuestProcesses } from './guest-process.js';
import { recordFixture } from './instance-record.fixture.js';

const config: ImageConfig = {
  entrypoint: ['/entry'],
  cmd: ['default'],
  env: { A: 'image', PATH: '/image/bin' },
  user: 'app',
  workingDir: '/work',
  exposedPorts: [],
};

let rootfsDir: string;
const processes = new GuestProcesses();

beforeEach(async () => {
  rootfsDir = await mkdtemp(join(tmpdir(), 'guest-process-'));
  await mkdir(join(rootfsDir, 'etc'));
  await writeFile(join(rootfsDir, 'etc/passwd'), 'app:x:1000:1001::/home/app:/bin/sh\n');
});

afterEach(() => rm(rootfsDir, { recursive: true }));

const resolve = (
  uproc: Partial<{ args: string[]; env: Record<string, string>; cwd: string; user: string }>,
  image: Partial<ImageConfig> = {},
): ReturnType<GuestProcesses['resolve']> => {
  const { spec } = recordFixture();
  return processes.resolve(
    { ...spec, uproc: { ...spec.uproc, ...uproc } },
    { digest: rootfsDir, rootfsDir, config: { ...config, ...image } },
  );
};

describe('GuestProcesses', () => {
  it('takes the image’s word where the request says nothing', async () => {
    await expect(resolve({})).resolves.toEqual({
      args: ['/entry', 'default'],
      env: { A: 'image', PATH: '/image/bin', HOME: '/home/app', HOSTNAME: 'fn' },
      cwd: '/work',
      uid: 1000,
      gid: 1001,
    });
  });

  it('lets the request replace the program and add to the environment', async () => {
    const guest = await resolve({ args: ['/other'], env: { A: 'request', HOME: '/x' }, cwd: '/tmp', user: '7:8' });
    expect(guest).toMatchObject({ args: ['/other'], env: { A: 'request', HOME: '/x' }, cwd: '/tmp', uid: 7, gid: 8 });
  });

  it('has defaults for an image that says nothing at all', async () => {
    const guest = await resolve({ args: ['sh'] }, { env: {}, user: '', workingDir: '' });
    expect(guest).toMatchObject({
      cwd: '/',
      uid: 0,
      gid: 0,
      env: { HOME: '/', PATH: expect.stringContaining('/usr/bin') },
    });
    await expect(resolve({}, { workingDir: 'app' })).resolves.toMatchObject({ cwd: '/app' });
  });

  it('refuses an image without a program and an unknown user', async () => {
    await expect(resolve({}, { entrypoint: [], cmd: [] })).rejects.toMatchObject({ kind: 'invalid_argument' });
    await expect(resolve({ user: 'nobody' })).rejects.toMatchObject({ kind: 'invalid_argument' });
  });
});
