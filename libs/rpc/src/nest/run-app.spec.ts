// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../../../..');

interface Run {
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly lines: Record<string, unknown>[];
}

/** Runs the fixture as a process of its own until it ends; `onLine` sees each line of its log. */
async function run(
  env: Record<string, string>,
  onLine: (msg: unknown, kill: () => void) => void = () => undefined,
): Promise<Run> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@junctiond/source',
      ...['--import', './tools/workspace/register-source.ts'],
      'libs/rpc/src/nest/run-app.fixture.ts',
    ],
    { cwd: root, env: { PATH: process.env['PATH'], ...env } },
  );
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const lines: Record<string, unknown>[] = [];
  createInterface(child.stdout).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    lines.push(line);
    onLine(line['msg'], () => child.kill('SIGTERM'));
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stderr, lines };
}

describe('runApp', () => {
  it('runs the shutdown hooks at SIGTERM and exits with 0', async () => {
    const { exitCode, stderr, lines } = await run({}, (msg, kill) => {
      if (msg === 'started') kill();
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(lines).toEqual([
      expect.objectContaining({ app: 'tiny', msg: 'started', stack: 'junction', release: expect.any(String) }),
      { msg: 'bye', signal: 'SIGTERM' },
    ]);
  });

  it('exits with 78 and all faults on stderr when the configuration is bad', async () => {
    const { exitCode, stderr, lines } = await run({
      JUNCTION_TINY_COUNT: '0',
      JUNCTION_TINY_FAULT: 'odd',
      JUNCTION_STACK: 'X',
    });
    expect(exitCode).toBe(78);
    expect(stderr.trim().split('\n')).toEqual([
      'tiny: 3 configuration faults:',
      expect.stringContaining('JUNCTION_STACK is "X"'),
      expect.stringContaining('JUNCTION_TINY_FAULT is "odd"'),
      expect.stringContaining('JUNCTION_TINY_COUNT is 0'),
    ]);
    expect(lines).toEqual([]);
  });

  it('logs why it cannot start and exits with 1', async () => {
    const { exitCode, lines } = await run({ JUNCTION_TINY_FAULT: 'start' });
    expect(exitCode).toBe(1);
    expect(lines.at(-1)).toMatchObject({ level: 'fatal', msg: 'cannot start', error: { message: 'the disk is full' } });
  });

  it('logs an error that nobody caught and exits with 1', async () => {
    const { exitCode, lines } = await run({ JUNCTION_TINY_FAULT: 'later' });
    expect(exitCode).toBe(1);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'fatal',
        msg: 'uncaught error',
        error: expect.objectContaining({ message: 'nobody caught this' }),
      }),
    );
  });
});
