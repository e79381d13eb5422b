// SPDX-License-Identifier: Apache-2.0
// The systemd units of a stack, rendered from deploy/systemd/*.template (systemd.unit(5), systemd.service(5)).
import type { AppSpec } from '../supervisor/app-spec.ts';

export interface UnitPlaces {
  readonly stack: string;
  readonly runDir: string;
  readonly environmentFile: string;
}

/** Name of the unit that stands for a whole stack. */
export function targetName(stack: string): string {
  return `junctiond-${stack}.target`;
}

export function serviceName(stack: string, app: string): string {
  return `junctiond-${stack}-${app}.service`;
}

/** One word of an ExecStart line: quoted, `%` and `$` taken literally. */
function word(text: string): string {
  const plain = text.replace(/%/g, '%%').replace(/\$/g, '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/(["\\])/g, '\\$1')}"`;
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/@([A-Z_]+)@/g, (_all, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the template names @${name}@, which has no value`);
    return value;
  });
}

export function renderService(template: string, app: AppSpec, places: UnitPlaces): string {
  return fill(template, {
    STACK: places.stack,
    APP: app.name,
    AFTER: app.name === 'redis' ? '' : ` ${serviceName(places.stack, 'redis')}`,
    RUN_DIR: word(places.runDir),
    COMMAND: [app.command, ...app.args].map(word).join(' '),
    CWD: app.cwd.replace(/%/g, '%%'),
    ENVIRONMENT_FILE: places.environmentFile,
    LOG_FILE: app.logFile.replace(/%/g, '%%'),
    STOP_SECONDS: String(Math.ceil(app.stopTimeoutMs / 1000)),
  });
}

export function renderTarget(template: string, stack: string): string {
  return fill(template, { STACK: stack });
}

/** systemd.exec(5), EnvironmentFile: each value in double quotes. */
export function renderEnvironment(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => `${name}="${value.replace(/(["\\$`])/g, '\\$1')}"`);
  return `${lines.join('\n')}\n`;
}
