// SPDX-License-Identifier: Apache-2.0
// The text of a junction_run configuration file: one `key value` pair a line, with Junction's own key names.

/** What an instance's configuration file says. */
export interface JunctionConfig {
  readonly hostAddr: string;
  readonly hostNetmask: string;
  readonly hostGateway: string;
  readonly hostMtu: number;
  /** Of the NIC, beyond Junction's own keys; absent = the instance has none. */
  readonly nic?: {
    readonly hostAddr6: string;
    readonly hostPrefix6: number;
    readonly hostGateway6: string;
    readonly hostMac: string;
  };
  /** runtime_kthreads: how many cores the instance may use at once. */
  readonly coreLimit: number;
  /** runtime_spinning_kthreads: how many kthreads may poll while idle. */
  readonly spinningKthreads: number;
  /** runtime_guaranteed_kthreads: cores that are never taken away. */
  readonly guaranteedCores: number;
  /** `lc` latency critical, `be` best effort. */
  readonly priority: 'lc' | 'be';
}

export function renderJunctionConfig(config: JunctionConfig): string {
  const lines: [string, string | number][] = [
    ['host_addr', config.hostAddr],
    ['host_netmask', config.hostNetmask],
    ['host_gateway', config.hostGateway],
    ['host_mtu', config.hostMtu],
    ...nicLines(config.nic),
    ['runtime_kthreads', config.coreLimit],
    ['runtime_spinning_kthreads', config.spinningKthreads],
    ['runtime_guaranteed_kthreads', config.guaranteedCores],
    ['runtime_priority', config.priority],
  ];
  return lines.map(([key, value]) => `${key} ${value}\n`).join('');
}

function nicLines(nic: JunctionConfig['nic']): [string, string | number][] {
  return nic === undefined
    ? []
    : [
        ['host_addr6', nic.hostAddr6],
        ['host_prefix6', nic.hostPrefix6],
        ['host_gateway6', nic.hostGateway6],
        ['host_mac', nic.hostMac],
      ];
}
