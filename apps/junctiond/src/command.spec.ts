// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { type CommandOptions, limitRuns, runCommand } from './command.js';

const shell = (script: string, more: Partial<CommandOptions> = {}): CommandOptions => ({
  file: '/bin/sh',
  args: ['-c', script],
  env: { PATH: '/usr/bin:/bin' },
  timeoutMs: 60_000,
  ...more,
});

describe('runCommand', () => {
  it('answers output and exit code', async () => {
    const result = await runCommand(shell('echo out; echo err >&2; exit 3'));
    expect(result).toMatchObject({ exitCode: 3, stderr: 'err\n', hasTimedOut: false, hasOverflowed: false });
    expect(result.stdout.toString()).toBe('out\n');
  });

  it('kills the program and its children when the time is over', async () => {
    const result = await runCommand(shell('sleep 600 & wait', { timeoutMs: 50 }));
    expect(result.hasTimedOut).toBe(true);
    expect(result.exitCode).toBeUndefined();
  });

  it('ends a program that says too much, and keeps the end of its errors', async () => {
    const result = await runCommand(
      shell('head -c 100000 /dev/zero >&2; echo last >&2; yes', { maxOutputBytes: 1000 }),
    );
    expect(result.hasOverflowed).toBe(true);
    expect(result.stderr.length).toBeLessThanOrEqual(8192);
    expect(result.stderr.endsWith('last\n')).toBe(true);
  });

  it('rejects for a program that does not exist', async () => {
    await expect(runCommand({ ...shell(''), file: '/does/not/exist' })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('limitRuns', () => {
  it('never runs more than the limit, and all in the end', async () => {
    let running = 0;
    let most = 0;
    const run = limitRuns(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return { exitCode: 0, stdout: Buffer.alloc(0), stderr: '', hasTimedOut: false, hasOverflowed: false };
    }, 2);
    const results = await Promise.all(Array.from({ length: 7 }, () => run(shell(''))));
    expect(results).toHaveLength(7);
    expect(most).toBe(2);
    expect(running).toBe(0);
  });

  it('goes on after a failure', async () => {
    const run = limitRuns(() => Promise.reject(new Error('no')), 1);
    await expect(run(shell(''))).rejects.toThrow('no');
    await expect(run(shell(''))).rejects.toThrow('no');
  });
});
