// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:net';

import type { StackPorts } from '@junctiond/config';

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Those of the stack's ports on which something listens, in ascending order. */
export async function takenPorts(ports: StackPorts): Promise<number[]> {
  const all = (Object.values(ports) as number[]).sort((a, b) => a - b);
  const free = await Promise.all(all.map((port) => isFree(port)));
  return all.filter((_port, index) => free[index] !== true);
}
