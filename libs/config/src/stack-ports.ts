// SPDX-License-Identifier: Apache-2.0

/** The TCP ports of one stack. */
export interface StackPorts {
  readonly gateway: number;
  readonly providerMetrics: number;
  readonly gatewayMetrics: number;
  readonly junctiondMetrics: number;
  readonly schedulerMonitorMetrics: number;
}

/** The ports of a stack from its first one; base 0 makes every port ephemeral. */
export function stackPorts(base: number): StackPorts {
  const at = (offset: number) => (base === 0 ? 0 : base + offset);
  return {
    gateway: at(0),
    providerMetrics: at(1),
    gatewayMetrics: at(2),
    junctiondMetrics: at(3),
    schedulerMonitorMetrics: at(4),
  };
}

/** How many ports a stack takes from its base on. */
export const portsPerStack = 5;
