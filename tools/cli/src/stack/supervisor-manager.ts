// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { CommandError } from '../exit-code.ts';
import type { ProcessIdentity } from '../process/process-identity.ts';
import { stopProcess } from '../process/stop-process.ts';
import { waitUntil } from '../process/wait-until.ts';
import type { AppSpec, AppStatus } from '../supervisor/app-spec.ts';
import { askSupervisor } from '../supervisor/supervisor-client.ts';
import { processesDir } from '../supervisor/supervisor-protocol.ts';
import type { AppManager } from './app-manager.ts';
import type { StackSettings } from './stack-settings.ts';

/** Our own supervisor, one process a stack. */
export class SupervisorManager implements AppManager {
  readonly kind = 'supervisor';
  private readonly settings: StackSettings;

  constructor(settings: StackSettings) {
    this.settings = settings;
  }

  private get runDir(): string {
    return this.settings.paths.runDir;
  }

  async apply(specs: readonly AppSpec[]): Promise<void> {
    if ((await askSupervisor(this.runDir, { op: 'status' })) === undefined) await this.startSupervisor();
    await askSupervisor(this.runDir, { op: 'apply', apps: specs });
  }

  async status(): Promise<readonly AppStatus[]> {
    return (await askSupervisor(this.runDir, { op: 'status' }))?.apps ?? [];
  }

  async stop(names: readonly string[]): Promise<void> {
    await askSupervisor(this.runDir, { op: 'stop', names });
    await this.stopOrphans(names);
  }

  async endAbandoned(): Promise<number> {
    return (await askSupervisor(this.runDir, { op: 'status' })) === undefined ? this.stopOrphans() : 0;
  }

  async end(): Promise<void> {
    const answer = await askSupervisor(this.runDir, { op: 'status' });
    await askSupervisor(this.runDir, { op: 'exit' });
    if (answer !== undefined) {
      await waitUntil(5_000, async () =>
        (await askSupervisor(this.runDir, { op: 'status' })) === undefined ? true : undefined,
      );
    }
    await this.stopOrphans();
  }

  /** The programs that a supervisor started which was itself killed; the number of them. */
  private async stopOrphans(names?: readonly string[]): Promise<number> {
    const folder = processesDir(this.runDir);
    let files: string[];
    try {
      files = readdirSync(folder);
    } catch {
      return 0; // never up
    }
    let stopped = 0;
    for (const file of files) {
      if (names !== undefined && !names.includes(file.replace(/\.json$/, ''))) continue;
      const identity = JSON.parse(readFileSync(join(folder, file), 'utf8')) as ProcessIdentity;
      await stopProcess(identity, 15_000);
      rmSync(join(folder, file), { force: true });
      stopped += 1;
    }
    return stopped;
  }

  private async startSupervisor(): Promise<void> {
    await this.stopOrphans();
    const { root, paths } = this.settings;
    mkdirSync(paths.logsDir, { recursive: true, mode: 0o700 });
    const log = openSync(join(paths.logsDir, 'supervisor.log'), 'a', 0o600);
    const child = spawn(
      join(root, '.tools/node/bin/node'),
      [
        ...['--max-semi-space-size=1', '--single-threaded', join(root, 'tools/cli/dist/supervisor/main.js')],
        this.runDir,
      ],
      { cwd: root, detached: true, stdio: ['ignore', log, log], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
    );
    closeSync(log);
    child.unref();
    const up = await waitUntil(10_000, () => askSupervisor(this.runDir, { op: 'status' }));
    if (up === undefined) throw new CommandError(`the supervisor did not start: see ${paths.logsDir}/supervisor.log`);
  }
}
