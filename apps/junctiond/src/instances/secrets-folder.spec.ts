// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { type CommandOptions, type CommandResult, runCommand } from '../command.js';
import { loadSecrets, saveSecrets, SecretsFolder } from './secrets-folder.js';

const owner = { uid: 0x1000_03e8, gid: 0x1000_0064 };
const text = (value: string): Uint8Array => Buffer.from(value);

let folder: string;
let secrets: SecretsFolder;
let commands: CommandOptions[];

const pretendToMount = (command: CommandOptions): Promise<CommandResult> => {
  commands.push(command);
  return Promise.resolve({
    exitCode: 0,
    stdout: Buffer.alloc(0),
    stderr: '',
    hasTimedOut: false,
    hasOverflowed: false,
  });
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-'));
  commands = [];
  secrets = new SecretsFolder(join(folder, 'secrets-of'));
});

afterEach(() => rm(folder, { recursive: true }));

describe('SecretsFolder', () => {
  it('gives each file and the folder to the guest’s user alone', async () => {
    await secrets.open(pretendToMount);
    secrets.write('one', { 'api-key': text('hush') }, owner);
    const dir = await stat(secrets.dirOf('one'));
    const file = await stat(join(secrets.dirOf('one'), 'api-key'));
    expect([dir.uid, dir.gid, dir.mode & 0o7777]).toEqual([owner.uid, owner.gid, 0o700]);
    expect([file.uid, file.gid, file.mode & 0o7777]).toEqual([owner.uid, owner.gid, 0o400]);
    await expect(secrets.list()).resolves.toEqual(['one']);
  });

  it('changes files in the same folder, each at once', async () => {
    await secrets.open(pretendToMount);
    secrets.write('one', { a: text('old'), b: text('b') }, owner);
    const inode = (await stat(secrets.dirOf('one'))).ino;
    const reader = await open(join(secrets.dirOf('one'), 'a'));
    secrets.write('one', { a: text('new'), c: text('c') }, owner);
    expect((await stat(secrets.dirOf('one'))).ino).toBe(inode);
    await expect(readdir(secrets.dirOf('one'))).resolves.toEqual(['a', 'c']);
    await expect(readFile(join(secrets.dirOf('one'), 'a'), 'utf8')).resolves.toBe('new');
    await expect(reader.readFile('utf8')).resolves.toBe('old');
    await reader.close();
    secrets.write('one', {}, owner);
    await expect(readdir(secrets.dirOf('one'))).resolves.toEqual([]);
    await secrets.remove('one');
    await secrets.remove('one');
    await expect(secrets.list()).resolves.toEqual([]);
  });

  it('is mounted in memory where it is not already', async () => {
    await expect(secrets.open(pretendToMount)).resolves.toBe(true);
    const isMemory = (await stat('/dev/shm')).dev === (await stat(folder)).dev;
    expect(commands.map(({ file }) => file)).toEqual(isMemory ? [] : ['mount']);
  });

  it('finds memory that is there', async () => {
    const inMemory = await mkdtemp('/dev/shm/secrets-');
    try {
      await expect(new SecretsFolder(inMemory).open(pretendToMount)).resolves.toBe(true);
      expect(commands).toEqual([]);
    } finally {
      await rm(inMemory, { recursive: true });
    }
  });

  it('really mounts and says when it cannot', async () => {
    const root = join(folder, 'secrets-of');
    const refused = await secrets.open((command) => runCommand({ ...command, file: 'false', args: [] }));
    expect(refused).toBe(false);
    await expect(secrets.open(runCommand)).resolves.toBe(true);
    try {
      secrets.write('one', { a: text('x') }, owner);
      await expect(new SecretsFolder(root).open(pretendToMount)).resolves.toBe(true);
      expect(commands).toEqual([]);
      await expect(secrets.list()).resolves.toEqual(['one']);
    } finally {
      await runCommand({ file: 'umount', args: [root], env: { PATH: '/usr/bin:/bin:/sbin' }, timeoutMs: 10_000 });
    }
  });
});

describe('saveSecrets', () => {
  it('keeps any bytes, for root only', async () => {
    const file = join(folder, 'secrets.json');
    const all = { binary: Uint8Array.from([0, 255, 10]), empty: text('') };
    saveSecrets(file, all);
    expect((await stat(file)).mode & 0o7777).toBe(0o600);
    const loaded = loadSecrets(file);
    expect(Object.keys(loaded ?? {})).toEqual(['binary', 'empty']);
    expect([...(loaded?.['binary'] ?? [])]).toEqual([0, 255, 10]);
    expect(loadSecrets(join(folder, 'none'))).toBeUndefined();
  });
});
