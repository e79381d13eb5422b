// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stackPaths } from '@junctiond/config';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { authorization, ensureCredentials } from './credentials.ts';

let stateDir = '';

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'credentials-'));
});

afterEach(() => {
  rmSync(stateDir, { recursive: true, force: true });
});

describe('ensureCredentials', () => {
  it('makes files that only root reads, with a password of its own for each stack', () => {
    const paths = stackPaths('a', { stateDir });
    const other = stackPaths('b', { stateDir: join(stateDir, 'b') });
    ensureCredentials(paths);
    ensureCredentials(other);
    expect(statSync(paths.basicAuthPasswordFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(paths.basicAuthUserFile, 'utf8')).toBe('admin');
    const password = readFileSync(paths.basicAuthPasswordFile, 'utf8');
    expect(password).toMatch(/^[\w-]{32}$/);
    expect(readFileSync(other.basicAuthPasswordFile, 'utf8')).not.toBe(password);
  });

  it('keeps what is there', () => {
    const paths = stackPaths('a', { stateDir });
    ensureCredentials(paths);
    writeFileSync(paths.basicAuthPasswordFile, 'chosen\n');
    ensureCredentials(paths);
    expect(authorization(paths)).toBe(`Basic ${Buffer.from('admin:chosen').toString('base64')}`);
  });
});
