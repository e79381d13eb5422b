// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { recordFixture } from './instance-record.fixture.js';
import type { InstanceRecord } from './instance-record.js';
import { RecordFiles } from './record-files.js';

let folder: string;
let files: RecordFiles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'records-'));
  await mkdir(join(folder, 'fn-1'));
  files = new RecordFiles({ instancesDir: folder, runDir: folder });
});

afterEach(async () => {
  await files.closeAll();
  await rm(folder, { recursive: true });
});

const withReason = (reason: string): InstanceRecord => recordFixture({ reason });

describe('RecordFiles', () => {
  it('keeps the last record, for root only', async () => {
    await Promise.all(['1', '2', '3'].map((reason) => files.save(withReason(reason))));
    expect((await files.load()).records).toEqual([withReason('3')]);
    expect((await stat(join(folder, 'fn-1/spec.json'))).mode & 0o777).toBe(0o600);
    await expect(readdir(join(folder, 'fn-1'))).resolves.toEqual(['spec.json']);
  });

  it('never puts an older record in the place of a newer one', async () => {
    for (let round = 0; round < 20; round += 1) {
      const older = files.save(withReason('older'));
      files.saveNow(withReason('newer'));
      await older;
      expect((await files.load()).records[0]?.reason).toBe('newer');
    }
    await files.save(withReason('newest'));
    expect((await files.load()).records[0]?.reason).toBe('newest');
    await expect(readdir(join(folder, 'fn-1'))).resolves.toEqual(['spec.json']);
  });

  it('tells records from what is none', async () => {
    await files.save(withReason('good'));
    await mkdir(join(folder, 'empty'));
    await mkdir(join(folder, 'half'));
    await writeFile(join(folder, 'half/spec.json'), '{"version": 1, "spec": {"id"');
    await mkdir(join(folder, 'moved'));
    await writeFile(join(folder, 'file'), '');
    const { records, broken } = await files.load();
    expect(records.map(({ spec }) => spec.id)).toEqual(['fn-1']);
    expect(broken.sort()).toEqual(['empty', 'file', 'half', 'moved']);
  });

  it('says that it cannot write', async () => {
    await rm(join(folder, 'fn-1'), { recursive: true });
    await expect(files.save(withReason('x'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => files.saveNow(withReason('x'))).toThrow('ENOENT');
  });
});
