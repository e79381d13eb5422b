// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isKnownDead, ownIdentity } from './process-identity.js';
import { loadSealingKey } from './sealing-key.js';

describe('loadSealingKey', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealing-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('makes a key for its owner only and finds it again', () => {
    const file = join(folder, 'auth', 'key');
    const key = loadSealingKey(file);
    expect(key.length).toBe(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'auth'))).toEqual(['key']);
    expect(loadSealingKey(file).equals(key)).toBe(true);
  });

  it.each(['', 'short', 'A'.repeat(100)])('does not replace a file that holds no key: %j', (text) => {
    const file = join(folder, 'key');
    writeFileSync(file, text);
    expect(() => loadSealingKey(file)).toThrow(/does not hold a key/);
  });

  it('reports a file that cannot be read', () => {
    expect(() => loadSealingKey(folder)).toThrow(/EISDIR/);
  });
});

describe('isKnownDead', () => {
  const own = ownIdentity();

  it('knows of itself and of living processes of this node that they live', () => {
    expect(own.startTicks).toMatch(/^\d+$/);
    expect(isKnownDead(own, own)).toBe(false);
    expect(isKnownDead({ ...own, nonce: 'another provider in this process' }, own)).toBe(false);
  });

  it('sees that a process is gone, or that its pid belongs to another one now', () => {
    expect(isKnownDead({ ...own, nonce: 'x', pid: 2 ** 30 }, own)).toBe(true);
    expect(isKnownDead({ ...own, nonce: 'x', startTicks: '1' }, own)).toBe(true);
  });

  it('knows nothing of other nodes', () => {
    expect(isKnownDead({ ...own, node: 'elsewhere', nonce: 'x', pid: 2 ** 30 }, own)).toBe(false);
  });
});
