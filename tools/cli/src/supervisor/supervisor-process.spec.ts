// SPDX-License-Identifier: Apache-2.0
// The supervisor as a real process with real programs.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { identify, lives } from '../process/process-identity.ts';
import { waitUntil } from '../process/wait-until.ts';
import type { AppSpec, AppStatus } from './app-spec.ts';
import { askSupervisor } from './supervisor-client.ts';

let runDir = '';
let supervisor: ChildProcess;

function sleeper(name: string, build = 'a'): AppSpec {
  const script = "console.log('started'); setInterval(() => undefined, 1e6)";
  return {
    name,
    command: process.execPath,
    args: ['-e', script],
    env: {},
    cwd: '/',
    logFile: join(runDir, `${name}.log`),
    stopTimeoutMs: 5_000,
    build,
  };
}

async function statusOf(name: string): Promise<AppStatus | undefined> {
  const answer = await askSupervisor(runDir, { op: 'status' });
  return answer?.apps.find((app) => app.name === name);
}

/** The status once the app runs with another pid than `before`. */
async function running(name: string, before = 0): Promise<AppStatus> {
  const status = await waitUntil(20_000, async () => {
    const now = await statusOf(name);
    return now?.state === 'running' && now.pid !== before ? now : undefined;
  });
  return status!;
}

beforeEach(async () => {
  runDir = mkdtempSync(join(tmpdir(), 'supervisor-'));
  supervisor = spawn(process.execPath, ['tools/cli/src/supervisor/main.ts', runDir], { stdio: 'ignore' });
  await waitUntil(20_000, () => askSupervisor(runDir, { op: 'status' }));
});

afterEach(async () => {
  if (supervisor.exitCode === null && supervisor.signalCode === null) {
    const ended = once(supervisor, 'exit');
    supervisor.kill('SIGTERM');
    await ended;
  }
  rmSync(runDir, { recursive: true, force: true });
});

describe('the supervisor', () => {
  it('starts a killed app again and records its new pid', async () => {
    await askSupervisor(runDir, { op: 'apply', apps: [sleeper('a')] });
    const first = await running('a');
    process.kill(first.pid, 'SIGKILL');
    const second = await running('a', first.pid);
    expect(second).toMatchObject({ restarts: 1, lastExit: 'SIGKILL' });
    expect(JSON.parse(readFileSync(join(runDir, 'processes/a.json'), 'utf8'))).toEqual(identify(second.pid));
    const log = await waitUntil(20_000, () => readFileSync(join(runDir, 'a.log'), 'utf8') || undefined);
    expect(log).toContain('started');
  });

  it('apply leaves alone what is as it should be, restarts what changed, stops what is not named', async () => {
    await askSupervisor(runDir, { op: 'apply', apps: [sleeper('same'), sleeper('changed'), sleeper('gone')] });
    const [same, changed, gone] = await Promise.all(['same', 'changed', 'gone'].map((name) => running(name)));
    const goneProcess = identify(gone!.pid)!;
    const answer = await askSupervisor(runDir, { op: 'apply', apps: [sleeper('same'), sleeper('changed', 'b')] });
    expect(answer!.apps.map((app) => app.name).sort()).toEqual(['changed', 'same']);
    expect((await statusOf('same'))!.pid).toBe(same!.pid);
    expect((await statusOf('changed'))!.pid).not.toBe(changed!.pid);
    expect(lives(goneProcess)).toBe(false);
  });

  it('reports a program that does not exist and tries again', async () => {
    await askSupervisor(runDir, { op: 'apply', apps: [{ ...sleeper('a'), command: '/does/not/exist' }] });
    const status = await waitUntil(20_000, async () => {
      const now = await statusOf('a');
      return now !== undefined && now.restarts >= 2 ? now : undefined;
    });
    expect(status).toMatchObject({ lastExit: 'status 127' });
    expect(readFileSync(join(runDir, 'a.log'), 'utf8')).toContain('ENOENT');
  });

  it('refuses to restart an app that it does not know', async () => {
    await expect(askSupervisor(runDir, { op: 'restart', name: 'x' })).rejects.toThrow('there is no app x');
  });

  it('answers the request to exit also while others ask for its status', async () => {
    await askSupervisor(runDir, { op: 'apply', apps: [sleeper('a'), sleeper('b')] });
    const done = new AbortController();
    const asking = (async () => {
      while (!done.signal.aborted) await askSupervisor(runDir, { op: 'status' }).catch(() => undefined);
    })();
    const answer = await askSupervisor(runDir, { op: 'exit' });
    done.abort();
    await asking;
    expect(answer).toMatchObject({ apps: [] });
  });

  it('exit stops everything and itself', async () => {
    await askSupervisor(runDir, { op: 'apply', apps: [sleeper('a')] });
    const app = identify((await running('a')).pid)!;
    const ended = once(supervisor, 'exit');
    await askSupervisor(runDir, { op: 'exit' });
    await ended;
    expect(lives(app)).toBe(false);
    expect(existsSync(join(runDir, 'supervisor.sock'))).toBe(false);
    expect(await askSupervisor(runDir, { op: 'status' })).toBeUndefined();
  });
});
