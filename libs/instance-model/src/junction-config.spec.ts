// SPDX-License-Identifier: Apache-2.0
import { expect, it } from '@jest/globals';

import { renderJunctionConfig } from './junction-config.js';

it('writes one key and value a line', () => {
  const text = renderJunctionConfig({
    hostAddr: '10.62.0.2',
    hostNetmask: '255.255.0.0',
    hostGateway: '10.62.0.1',
    hostMtu: 1500,
    coreLimit: 2,
    spinningKthreads: 0,
    guaranteedCores: 1,
    priority: 'lc',
  });
  expect(text).toBe(
    'host_addr 10.62.0.2\nhost_netmask 255.255.0.0\nhost_gateway 10.62.0.1\nhost_mtu 1500\nruntime_kthreads 2\n' +
      'runtime_spinning_kthreads 0\nruntime_guaranteed_kthreads 1\nruntime_priority lc\n',
  );
});

it('writes what a NIC needs only where there is one', () => {
  const text = renderJunctionConfig({
    hostAddr: '10.62.0.2',
    hostNetmask: '255.255.0.0',
    hostGateway: '10.62.0.1',
    hostMtu: 1500,
    nic: {
      hostAddr6: 'fd12::2',
      hostPrefix6: 64,
      hostGateway6: 'fd12::1',
      hostMac: '02:6a:0a:3e:00:02',
    },
    coreLimit: 2,
    spinningKthreads: 1,
    guaranteedCores: 0,
    priority: 'lc',
  });
  expect(text).toContain(
    'host_mtu 1500\nhost_addr6 fd12::2\nhost_prefix6 64\nhost_gateway6 fd12::1\nhost_mac 02:6a:0a:3e:00:02\nruntime_kthreads 2\n',
  );
});
