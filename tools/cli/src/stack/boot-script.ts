// SPDX-License-Identifier: Apache-2.0
// Where systemd is not process 1, a script in /etc/init.d starts the stack at boot (init-system-helpers: update-rc.d).
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { CommandError } from '../exit-code.ts';
import type { StackSettings } from './stack-settings.ts';

function scriptName(stack: string): string {
  return `junctiond-${stack}`;
}

function scriptFile(stack: string): string {
  return join('/etc/init.d', scriptName(stack));
}

/** The script's text. Throws if the checkout's path cannot stand in it. */
export function renderBootScript(template: string, values: { stack: string; portBase: number; root: string }): string {
  if (values.root.includes("'"))
    throw new CommandError(`a boot script cannot name ${values.root}: it contains a quote`);
  return template
    .replaceAll('@STACK@', values.stack)
    .replaceAll('@PORT_BASE@', String(values.portBase))
    .replaceAll('@ROOT@', () => values.root);
}

export function installBootScript(settings: StackSettings): void {
  const { root, portBase } = settings;
  const { stack } = settings.paths;
  const template = readFileSync(join(root, 'deploy/init.d/stack.template'), 'utf8');
  writeFileSync(scriptFile(stack), renderBootScript(template, { stack, portBase, root }), { mode: 0o755 });
  execFileSync('update-rc.d', [scriptName(stack), 'defaults'], { stdio: 'pipe' });
}

/** Removes the script if there is one. */
export function removeBootScript(stack: string): void {
  if (!existsSync(scriptFile(stack))) return;
  rmSync(scriptFile(stack));
  execFileSync('update-rc.d', [scriptName(stack), 'remove'], { stdio: 'pipe' });
}
