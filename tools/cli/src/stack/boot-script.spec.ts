// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { renderBootScript } from './boot-script.ts';

const template = readFileSync('deploy/init.d/stack.template', 'utf8');

describe('renderBootScript', () => {
  const script = renderBootScript(template, { stack: 's', portBase: 9000, root: '/opt/my $& junction' });

  it('names the stack, its ports and the checkout', () => {
    expect(script).toContain('# Provides:          junctiond-s\n');
    expect(script).toContain('JUNCTION_STACK=s JUNCTION_PORT_BASE=9000');
    expect(script).toContain("exec '/opt/my $& junction/junction' up --no-build");
    expect(script).not.toMatch(/@[A-Z_]+@/);
  });

  it('is a shell script', () => {
    expect(spawnSync('sh', ['-n'], { input: script }).status).toBe(0);
  });

  it('refuses a path that would end the quotes', () => {
    expect(() => renderBootScript(template, { stack: 's', portBase: 1, root: "/a'b" })).toThrow('quote');
  });
});
