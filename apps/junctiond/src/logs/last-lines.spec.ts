// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { lastLogTexts, lastTexts } from './last-lines.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'last-lines-'));
});

afterEach(() => rm(folder, { recursive: true }));

const lines = (...texts: string[]): string =>
  texts.map((m, index) => `${JSON.stringify({ t: index * 1e6, s: 'out', m })}\n`).join('');

describe('lastLogTexts', () => {
  it('takes the end of both files', async () => {
    await expect(lastLogTexts(folder, 3, 0)).resolves.toEqual([]);
    await writeFile(join(folder, 'log.1'), lines('a', 'b', 'c'));
    await writeFile(join(folder, 'log'), lines('d'));
    await expect(lastLogTexts(folder, 3, 0)).resolves.toEqual(['b', 'c', 'd']);
    await expect(lastLogTexts(folder, 1, 0)).resolves.toEqual(['d']);
  });

  it('leaves out what an earlier run printed', async () => {
    await writeFile(join(folder, 'log'), lines('old', 'new', 'newer'));
    await expect(lastLogTexts(folder, 3, 1)).resolves.toEqual(['new', 'newer']);
  });

  it('reads only the end of a long file', async () => {
    await writeFile(join(folder, 'log'), lines(...Array.from({ length: 20_000 }, (_, index) => `line ${index}`)));
    await expect(lastLogTexts(folder, 2, 0)).resolves.toEqual(['line 19998', 'line 19999']);
    await writeFile(join(folder, 'log'), `${'x'.repeat(200_000)}\n${lines('last')}`);
    await expect(lastLogTexts(folder, 2, 0)).resolves.toEqual(['last']);
  });
});

describe('lastTexts', () => {
  it('takes plain lines', async () => {
    const file = join(folder, 'junction_run.log');
    await expect(lastTexts(file, 2)).resolves.toEqual([]);
    await writeFile(file, 'one\ntwo\n\nthree\n');
    await expect(lastTexts(file, 2)).resolves.toEqual(['two', 'three']);
  });
});
