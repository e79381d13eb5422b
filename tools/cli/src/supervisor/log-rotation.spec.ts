// SPDX-License-Identifier: Apache-2.0
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { rotateLog } from './log-rotation.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-rotation-'));
  file = join(folder, 'app.log');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('rotateLog', () => {
  it('leaves a small log alone', () => {
    writeFileSync(file, '12345678');
    expect(rotateLog(file, 8)).toBe(false);
    expect(existsSync(`${file}.1`)).toBe(false);
  });

  it('copies a large one and lets a program that holds it open go on at its beginning', () => {
    const log = openSync(file, 'a');
    writeSync(log, '123456789');
    expect(rotateLog(file, 8)).toBe(true);
    writeSync(log, 'new');
    closeSync(log);
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('123456789');
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('does not mind that there is no log yet', () => {
    expect(rotateLog(file, 8)).toBe(false);
  });
});
