// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { expect, it } from '@jest/globals';

import { takenPorts } from './port-check.ts';

it('names the ports on which something listens', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ephemeral = { gateway: 0, providerMetrics: 0, junctiondMetrics: 0, schedulerMonitorMetrics: 0 };
  expect(await takenPorts({ ...ephemeral, gatewayMetrics: port })).toEqual([port]);
  server.close();
  await once(server, 'close');
  expect(await takenPorts({ ...ephemeral, gatewayMetrics: port })).toEqual([]);
});
