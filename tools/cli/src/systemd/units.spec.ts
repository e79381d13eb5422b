// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import type { AppSpec } from '../supervisor/app-spec.ts';
import { renderEnvironment, renderService, renderTarget } from './units.ts';

const app: AppSpec = {
  name: 'gateway',
  command: '/opt/junction/.tools/node/bin/node',
  args: ['--x=1', '/opt/my junction/main.js', '50%', 'a$b'],
  env: { A: '1' },
  cwd: '/opt/junction',
  logFile: '/var/lib/junctiond/s/logs/gateway.log',
  stopTimeoutMs: 15_000,
  build: '',
};
const places = { stack: 's', runDir: '/run/junctiond/s', environmentFile: '/var/lib/junctiond/s/units.env' };
const template = (name: string): string => readFileSync(`deploy/systemd/${name}.template`, 'utf8');

describe('renderService', () => {
  const unit = renderService(template('app.service'), app, places);

  it('leaves no placeholder', () => {
    expect(unit).not.toMatch(/@[A-Z_]+@/);
  });

  it('quotes the command', () => {
    expect(unit).toContain('ExecStart=/opt/junction/.tools/node/bin/node --x=1 "/opt/my junction/main.js" 50%% a$$b\n');
  });

  it('restarts the app, but not for faults of its configuration, and spares its instances', () => {
    expect(unit).toMatch(/^Restart=always$/m);
    expect(unit).toMatch(/^RestartPreventExitStatus=78$/m);
    expect(unit).toMatch(/^KillMode=process$/m);
  });

  it('refuses a template with an unknown placeholder', () => {
    expect(() => renderService('@NONSENSE@', app, places)).toThrow('NONSENSE');
  });
});

describe('renderTarget', () => {
  it('is wanted at boot', () => {
    expect(renderTarget(template('stack.target'), 's')).toContain('WantedBy=multi-user.target');
  });
});

describe('renderEnvironment', () => {
  it('escapes what the shell-like syntax would read', () => {
    expect(renderEnvironment({ A: 'x"y\\z $HOME' })).toBe('A="x\\"y\\\\z \\$HOME"\n');
  });
});
