// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { AppSpec, AppState, AppStatus } from '../supervisor/app-spec.ts';
import { renderEnvironment, renderService, renderTarget, serviceName, targetName } from '../systemd/units.ts';
import type { AppManager } from './app-manager.ts';
import type { StackSettings } from './stack-settings.ts';

const run = promisify(execFile);
const unitsDir = '/etc/systemd/system';

/** systemd units, one an app, below a target that is started at boot. */
export class SystemdManager implements AppManager {
  readonly kind = 'systemd';
  private readonly settings: StackSettings;

  constructor(settings: StackSettings) {
    this.settings = settings;
  }

  private get stack(): string {
    return this.settings.paths.stack;
  }

  async apply(specs: readonly AppSpec[]): Promise<void> {
    const { root, paths } = this.settings;
    const template = (name: string): string => readFileSync(join(root, 'deploy/systemd', `${name}.template`), 'utf8');
    const environmentFile = join(paths.stateDir, 'units.env');
    const hasNewEnvironment = this.write(environmentFile, renderEnvironment(specs.at(-1)?.env ?? {}), 0o600);
    this.write(join(unitsDir, targetName(this.stack)), renderTarget(template('stack.target'), this.stack));
    const changed: string[] = [];
    for (const spec of specs) {
      const name = serviceName(this.stack, spec.name);
      const unit = renderService(template('app.service'), spec, {
        stack: this.stack,
        runDir: paths.runDir,
        environmentFile,
      });
      // The digest stands in the unit, so that a new build shows as a changed unit.
      const isChanged = this.write(join(unitsDir, name), `${unit}# build ${spec.build}\n`);
      if (isChanged || hasNewEnvironment) changed.push(name);
    }
    const names = specs.map((spec) => serviceName(this.stack, spec.name));
    await this.systemctl('daemon-reload');
    await this.systemctl('enable', targetName(this.stack), ...names);
    if (changed.length > 0) await this.systemctl('restart', ...changed);
    await this.systemctl('start', targetName(this.stack), ...names);
  }

  async status(): Promise<readonly AppStatus[]> {
    const apps = this.apps();
    return Promise.all(apps.map((app) => this.appStatus(app)));
  }

  async stop(names: readonly string[]): Promise<void> {
    const known = this.apps();
    for (const name of names) if (known.includes(name)) await this.systemctl('stop', serviceName(this.stack, name));
  }

  endAbandoned(): Promise<number> {
    return Promise.resolve(0); // systemd keeps its units whatever happens
  }

  async end(): Promise<void> {
    const apps = this.apps();
    if (apps.length === 0) return;
    const names = [targetName(this.stack), ...apps.map((app) => serviceName(this.stack, app))];
    await this.systemctl('stop', ...names);
    await this.systemctl('disable', ...names);
    for (const name of names) rmSync(join(unitsDir, name), { force: true });
    rmSync(join(this.settings.paths.stateDir, 'units.env'), { force: true });
    await this.systemctl('daemon-reload');
    await run('systemctl', ['reset-failed', ...names]).catch(() => undefined); // nothing had failed
  }

  /** The apps that have a unit. */
  private apps(): string[] {
    const prefix = `junctiond-${this.stack}-`;
    return readdirSync(unitsDir)
      .filter((file) => file.startsWith(prefix) && file.endsWith('.service'))
      .map((file) => file.slice(prefix.length, -'.service'.length))
      .filter((app) => existsSync(join(unitsDir, serviceName(this.stack, app))));
  }

  private async appStatus(name: string): Promise<AppStatus> {
    const properties = 'ActiveState,SubState,MainPID,NRestarts,ExecMainStatus,Result';
    const { stdout } = await run('systemctl', ['show', serviceName(this.stack, name), `--property=${properties}`]);
    const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
    const state: AppState =
      value('ActiveState') === 'active'
        ? 'running'
        : value('SubState') === 'auto-restart'
          ? 'backing-off'
          : value('ActiveState') === 'failed'
            ? 'failed'
            : 'stopped';
    const restarts = Number(value('NRestarts'));
    return {
      name,
      state,
      pid: Number(value('MainPID')),
      restarts,
      // While it runs, systemd shows the state of the run, not how the last one ended.
      lastExit: state !== 'running' ? `status ${value('ExecMainStatus')} (${value('Result')})` : '',
      build: '',
    };
  }

  /** Writes a file if that changes it, and answers whether it did. */
  private write(file: string, text: string, mode = 0o644): boolean {
    if (existsSync(file) && readFileSync(file, 'utf8') === text) return false;
    writeFileSync(file, text, { mode });
    return true;
  }

  private async systemctl(...args: string[]): Promise<void> {
    await run('systemctl', ['--quiet', ...args]);
  }
}
