// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { afterThisTest, testAddonFile, testFolder } from './addon.fixture.js';
import { ProcessHandle, type ProcessExit, type SpawnOptions, waitPidfd } from './process-handle.js';

const { SIGKILL, SIGTERM } = constants.signals;

function shell(script: string, options: Partial<SpawnOptions> = {}): ProcessHandle {
  const handle = ProcessHandle.spawnDetached({ file: '/bin/sh', args: ['-c', script], env: {}, ...options });
  afterThisTest(() => handle.close());
  return handle;
}

/** Keeps the test alive while it waits: a wait alone does not. */
async function end(handle: ProcessHandle): Promise<ProcessExit> {
  const alive = setInterval(() => undefined, 1_000);
  try {
    return await handle.wait();
  } finally {
    clearInterval(alive);
  }
}

/** A process that is not our child: started by a shell that has ended. */
async function startStranger(): Promise<number> {
  const parent = spawn('/bin/sh', ['-c', 'sleep 600 >/dev/null 2>&1 & echo $!'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [data] = (await once(parent.stdout, 'data')) as [Buffer];
  if (parent.exitCode === null) await once(parent, 'exit');
  const pid = Number(data.toString());
  afterThisTest(() => {
    ProcessHandle.open(pid)?.signal(SIGKILL);
  });
  return pid;
}

describe('ProcessHandle', () => {
  beforeAll(() => {
    testAddonFile();
  });

  it('starts a program with just what is named', async () => {
    const folder = testFolder();
    const stdoutFile = join(folder, 'out');
    const stderrFile = join(folder, 'err');
    const script = 'pwd; env | grep -v ^PWD= | grep -v ^_= | sort; cat; ls /proc/self/fd | wc -l; echo oops >&2';
    const handle = shell(script, { cwd: folder, env: { A: '1', B: 'two words' }, stdoutFile, stderrFile });
    expect(await end(handle)).toEqual({ exitCode: 0 });
    const lines = readFileSync(stdoutFile, 'utf8').trim().split('\n');
    // 0 to 2, and the folder that ls reads.
    expect(lines.map((line) => line.trim())).toEqual([folder, 'A=1', 'B=two words', '4']);
    expect(readFileSync(stderrFile, 'utf8')).toBe('oops\n');
  });

  it('makes the program the leader of a session of its own', async () => {
    const stdoutFile = join(testFolder(), 'out');
    const handle = shell('cut -d " " -f 6 /proc/$$/stat', { stdoutFile });
    await end(handle);
    expect(Number(readFileSync(stdoutFile, 'utf8'))).toBe(handle.pid);
  });

  it('gives the program default signals: none ignored, none blocked', async () => {
    const stdoutFile = join(testFolder(), 'out');
    await end(shell('exec grep -E "^Sig(Ign|Blk)" /proc/self/status', { stdoutFile }));
    expect(readFileSync(stdoutFile, 'utf8')).toMatch(/SigBlk:\s0+\nSigIgn:\s0+\n/);
  });

  it('tells exit code and signal of a child', async () => {
    expect(await end(shell('exit 3'))).toEqual({ exitCode: 3 });
    const sleeper = shell('exec sleep 600');
    expect(sleeper.signal(SIGTERM)).toBe(true);
    expect(await end(sleeper)).toEqual({ signal: SIGTERM });
    expect(sleeper.signal(SIGTERM)).toBe(false);
  });

  it('reaps a child whose handle was closed early', async () => {
    const handle = shell('exec sleep 600');
    const { pid, startTimeTicks } = handle;
    const second = ProcessHandle.open(pid, startTimeTicks);
    handle.close();
    second?.signal(SIGKILL);
    await second?.wait();
    second?.close();
    const alive = setInterval(() => undefined, 1_000);
    while (ProcessHandle.open(pid, startTimeTicks) !== undefined) {
      await new Promise(setImmediate);
    }
    clearInterval(alive);
  });

  it.each([
    ['a missing program', { file: '/nonexistent/program' }, 'ENOENT', 'execve'],
    ['a program that may not be run', { file: '/dev/null' }, 'EACCES', 'execve'],
    ['a missing folder', { cwd: '/nonexistent' }, 'ENOENT', 'chdir'],
    ['an output file in a missing folder', { stdoutFile: '/nonexistent/out' }, 'ENOENT', 'stdout'],
    ['an argument with a NUL', { args: ['a\0b'] }, 'ERR_NATIVE_OPTION', 'NUL'],
  ])('refuses %s', (_, options, code, text) => {
    expect(() => shell('true', options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) as unknown }),
    );
  });

  it('waits for a process that is not a child', async () => {
    const pid = await startStranger();
    const handle = ProcessHandle.open(pid);
    expect(handle?.pid).toBe(pid);
    handle?.signal(SIGKILL);
    expect(await end(handle!)).toEqual({});
    handle?.close();
  });

  it('does not take a later process with the same pid for the one that was meant', async () => {
    const pid = await startStranger();
    const handle = ProcessHandle.open(pid);
    expect(ProcessHandle.open(pid, handle!.startTimeTicks)?.startTimeTicks).toBe(handle!.startTimeTicks);
    expect(ProcessHandle.open(pid, handle!.startTimeTicks + 1n)).toBeUndefined();
    handle?.close();
  });

  it('knows that a pid is free', async () => {
    const handle = shell('true');
    const { pid, startTimeTicks } = handle;
    await end(handle);
    expect(ProcessHandle.open(pid, startTimeTicks)).toBeUndefined();
    await waitPidfd(pid, startTimeTicks);
  });

  it('refuses to be used once closed', () => {
    const handle = ProcessHandle.open(process.pid)!;
    handle.close();
    handle.close();
    expect(() => handle.signal(0)).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_CLOSED' }));
  });

  it('waits for many at once', async () => {
    const ends = await Promise.all(Array.from({ length: 50 }, (_, i) => end(shell(`exit ${i}`))));
    expect(ends.map((exit) => exit.exitCode)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});
