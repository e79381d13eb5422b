// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

import { describe, expect, it } from '@jest/globals';

import { parseListeningSockets } from './listening-sockets.js';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 268435456        0 20184 1 0 100 0 0 10 0
   1: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 20185 1 0 20 4 30 10 -1
   2: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0:0 00:00000000 00000000 33 0 1 1 0
`;

describe('parseListeningSockets', () => {
  it('takes only those that listen', () => {
    expect(parseListeningSockets(table)).toEqual([
      { port: 8080, uid: 0x1000_0000 },
      { port: 22, uid: 33 },
    ]);
    expect(parseListeningSockets('')).toEqual([]);
  });

  it('finds a socket of this process', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(parseListeningSockets(readFileSync('/proc/net/tcp', 'utf8'))).toContainEqual({
      port,
      uid: process.getuid?.(),
    });
    await new Promise((resolve) => server.close(resolve));
  });
});
