// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import type { NetworkSettings } from '../stack/network-settings.ts';
import { probeNetwork } from './network-probes.ts';
import { routes4 } from './range-clash.ts';

const settings: NetworkSettings = {
  kind: 'nic',
  device: 'jn-junction',
  range: '10.62.0.0/16',
  range6: 'fd12:3456:789a::/64',
};
const other = routes4('header\ntun0\t00003E0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n');

describe('probeNetwork', () => {
  it('names who has the range, and which setting moves it', () => {
    expect(probeNetwork(settings, other).find(({ name }) => name === 'addresses')).toEqual({
      name: 'addresses',
      state: 'missing',
      found: '10.62.0.0/16 clashes with 10.62.0.0/16 on tun0',
      fix: 'set JUNCTION_JUNCTIOND_INSTANCE_NETWORK to a network that this host has no route to',
    });
  });

  it("is only worse where instances use the host's network, and ok where the range is free", () => {
    const states = (kind: 'host' | 'nic', networks = other): string[] =>
      probeNetwork({ ...settings, kind }, networks)
        .filter(({ name }) => name.endsWith('addresses'))
        .map(({ state }) => state);
    expect(states('host')).toEqual(['worse', 'ok']);
    expect(states('nic', [])).toEqual(['ok', 'ok']);
  });
});
