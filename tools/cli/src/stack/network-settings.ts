// SPDX-License-Identifier: Apache-2.0
// What the commands must know of the stack's network; the same settings that junctiond and scheduler-monitor read.
import { ConfigError, defineConfig, loadConfig, networkFields, uplinkDeviceField } from '@junctiond/config';
import type { Environment } from '@junctiond/config';

import { CommandError, exitCode } from '../exit-code.ts';

export interface NetworkSettings {
  readonly kind: 'host' | 'nic';
  /** The TAP device of the uplink. */
  readonly device: string;
  readonly range: string;
  readonly range6: string;
}

const schema = defineConfig({
  name: 'network',
  // No variable is refused as unknown: each app does that for its own.
  envPrefix: 'JUNCTION_NETWORK_NONE_',
  fields: { ...networkFields, uplinkDevice: uplinkDeviceField },
});

/** The variables that decide it. */
export const networkVariables: readonly string[] = Object.values(schema.fields).map(({ env }) => env);

/** Throws what is wrong with the variables, all at once. */
export function networkSettings(environment: Environment): NetworkSettings {
  try {
    const { network, uplinkDevice, instanceNetwork, instanceNetwork6 } = loadConfig(schema, environment);
    return {
      kind: network === 'nic' ? 'nic' : 'host',
      device: uplinkDevice,
      range: instanceNetwork,
      range6: instanceNetwork6,
    };
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.message, exitCode.usage);
    throw error;
  }
}
