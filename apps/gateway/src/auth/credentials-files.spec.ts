// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ensureCredentials } from './credentials-files.js';

describe('ensureCredentials', () => {
  let folder: string;
  let files: { userFile: string; passwordFile: string };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gw-auth-'));
    files = { userFile: join(folder, 'auth/basic-auth-user'), passwordFile: join(folder, 'auth/basic-auth-password') };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('makes user and password once, for nobody else to read', () => {
    const first = ensureCredentials(files);
    expect(first.user).toBe('admin');
    expect(first.password.reveal()).toMatch(/^[\w-]{32}$/);
    for (const file of Object.values(files)) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'auth')).mode & 0o777).toBe(0o700);
    expect(ensureCredentials(files).password.reveal()).toBe(first.password.reveal());
    expect(readFileSync(files.passwordFile, 'utf8')).toBe(first.password.reveal());
  });

  it('makes another password for each gateway', () => {
    const other = { userFile: join(folder, 'b/user'), passwordFile: join(folder, 'b/password') };
    expect(ensureCredentials(other).password.reveal()).not.toBe(ensureCredentials(files).password.reveal());
  });

  it('reads what is there, without its line end', () => {
    ensureCredentials(files);
    writeFileSync(files.userFile, 'me\n');
    writeFileSync(files.passwordFile, 'pass word: ü\n');
    const credentials = ensureCredentials(files);
    const header = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    expect(credentials.accept(header('me:pass word: ü'))).toBe(true);
    expect(credentials.accept(header('me:pass word: u'))).toBe(false);
    expect(credentials.accept(undefined)).toBe(false);
  });

  it('refuses files without a usable line, and names them all', () => {
    ensureCredentials(files);
    writeFileSync(files.userFile, 'a:b\n');
    writeFileSync(files.passwordFile, '\n');
    expect(() => ensureCredentials(files)).toThrow(/basic-auth-password is empty[^]*basic-auth-user holds a colon/);
    writeFileSync(files.passwordFile, 'one\ntwo\n');
    expect(() => ensureCredentials(files)).toThrow('has more than one line');
  });
});
