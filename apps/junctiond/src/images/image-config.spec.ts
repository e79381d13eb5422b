// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { parseImageConfig } from './image-config.js';

describe('parseImageConfig', () => {
  it('reads what a container engine would honour', () => {
    const document = {
      architecture: 'amd64',
      config: {
        Entrypoint: ['/server'],
        Cmd: ['--port', '8080'],
        Env: ['PATH=/bin', 'EMPTY=', 'MORE=a=b', '=broken', 'nothing'],
        User: 'app:staff',
        WorkingDir: '/app',
        ExposedPorts: { '8080/tcp': {} },
        Labels: { x: 'y' },
      },
    };
    expect(parseImageConfig(document)).toEqual({
      ok: true,
      value: {
        entrypoint: ['/server'],
        cmd: ['--port', '8080'],
        env: { PATH: '/bin', EMPTY: '', MORE: 'a=b' },
        user: 'app:staff',
        workingDir: '/app',
        exposedPorts: ['8080/tcp'],
      },
    });
  });

  it('takes absence and null as nothing said', () => {
    const nothing = { entrypoint: [], cmd: [], env: {}, user: '', workingDir: '', exposedPorts: [] };
    expect(parseImageConfig({})).toEqual({ ok: true, value: nothing });
    expect(parseImageConfig({ config: { Entrypoint: null, Cmd: null, Env: null } })).toEqual({
      ok: true,
      value: nothing,
    });
  });

  it.each([
    [null],
    [[]],
    ['text'],
    [{ config: 1 }],
    [{ config: { Entrypoint: '/bin/sh' } }],
    [{ config: { Cmd: [1] } }],
    [{ config: { Env: {} } }],
    [{ config: { User: 0 } }],
    [{ config: { WorkingDir: [] } }],
    [{ config: { ExposedPorts: [] } }],
    [{ config: { Cmd: ['a\0b'] } }],
  ])('refuses %j', (document) => {
    expect(parseImageConfig(document).ok).toBe(false);
  });
});
