// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { loadConfig } from '@junctiond/config';

import { junctiondConfig } from './config.js';

describe('junctiondConfig', () => {
  it('needs nothing', () => {
    const config = loadConfig(junctiondConfig, {});
    expect(config).toMatchObject({
      address: { kind: 'unix', path: '/run/junctiond/junction/junctiond.sock' },
      metricsPort: 8083,
      instanceNetwork: '10.62.0.0/16',
      defaultMemory: 536_870_912,
      insecureRegistries: [],
    });
    expect(config.registryAuthFile).toBeUndefined();
  });

  it('names all faults at once', () => {
    const faulty = {
      JUNCTION_JUNCTIOND_DEFAULT_MEMORY: '1k',
      JUNCTION_JUNCTIOND_GRACE_PERIOD: 'long',
      JUNCTION_JUNCTIOND_NO_SUCH: '1',
    };
    expect(() => loadConfig(junctiondConfig, faulty)).toThrow(/DEFAULT_MEMORY[^]*GRACE_PERIOD[^]*NO_SUCH/);
  });

  it.each([
    [{ JUNCTION_JUNCTIOND_INSTANCE_NETWORK: '10.62.0.1/16' }, 'the network is 10.62.0.0/16'],
    [{ JUNCTION_JUNCTIOND_RESTART_BASE: '1m', JUNCTION_JUNCTIOND_RESTART_MAX: '1s' }, 'RESTART_BASE is above'],
    [{ JUNCTION_JUNCTIOND_ADDRESS: '127.0.0.1:9000' }, 'JUNCTION_RPC_TOKEN_FILE'],
  ])('refuses %j', (environment, reason) => {
    expect(() => loadConfig(junctiondConfig, environment)).toThrow(reason);
  });
});
