// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { loadConfig } from '@junctiond/config';

import { schedulerMonitorConfig } from '../config.js';
import { uplinkArguments } from './local-daemon-host.js';

function argumentsOf(environment: Record<string, string>): string {
  return uplinkArguments(loadConfig(schedulerMonitorConfig, { JUNCTION_STACK: 'junction', ...environment })).join(' ');
}

describe('uplinkArguments', () => {
  it('asks for no uplink unless instances have NICs', () => {
    expect(argumentsOf({ JUNCTION_JUNCTIOND_NETWORK: 'host' })).toBe('');
  });

  it('names device, ranges and the port of the gateway', () => {
    const words = argumentsOf({ JUNCTION_JUNCTIOND_NETWORK: 'nic', JUNCTION_GATEWAY_PORT: '9090' });
    expect(words).toMatch(
      /^--uplink_device jn-junction --uplink_range 10\.62\.0\.0\/16 --uplink_range6 fd\S+::\/64 --uplink_mtu 1500 --gateway_port 9090$/,
    );
  });

  it('keeps functions from the gateway where that is wanted', () => {
    const words = argumentsOf({ JUNCTION_JUNCTIOND_NETWORK: 'nic', JUNCTION_UPLINK_GATEWAY: 'false' });
    expect(words).toMatch(/--gateway_port 0$/);
  });
});
