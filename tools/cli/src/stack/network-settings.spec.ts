// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { networkSettings, networkVariables } from './network-settings.ts';

describe('networkSettings', () => {
  it('follows from the name of the stack', () => {
    const settings = networkSettings({ JUNCTION_STACK: 'junction' });
    expect(settings).toMatchObject({ device: 'jn-junction', range: '10.62.0.0/16' });
    expect(networkSettings({ JUNCTION_STACK: 'other' }).range).not.toBe(settings.range);
  });

  it('takes what is configured, by the variables of the apps', () => {
    const environment = {
      JUNCTION_STACK: 'x',
      JUNCTION_JUNCTIOND_NETWORK: 'nic',
      JUNCTION_JUNCTIOND_INSTANCE_NETWORK: '10.99.0.0/16',
      JUNCTION_JUNCTIOND_INSTANCE_NETWORK6: 'fd99::/64',
      JUNCTION_UPLINK_DEVICE: 'tap7',
      JUNCTION_GATEWAY_PORT: 'whatever others have',
    };
    expect(networkSettings(environment)).toEqual({
      kind: 'nic',
      device: 'tap7',
      range: '10.99.0.0/16',
      range6: 'fd99::/64',
    });
    expect(networkVariables).toEqual(expect.arrayContaining(['JUNCTION_JUNCTIOND_NETWORK', 'JUNCTION_UPLINK_DEVICE']));
  });

  it('names all faults', () => {
    expect(() => networkSettings({ JUNCTION_JUNCTIOND_NETWORK: 'bridge', JUNCTION_UPLINK_DEVICE: 'a b' })).toThrow(
      /JUNCTION_JUNCTIOND_NETWORK[\s\S]*JUNCTION_UPLINK_DEVICE/,
    );
  });
});
