// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Endpoint } from '../domain/replica.js';
import { untilReady } from './readiness-probe.js';

describe('untilReady', () => {
  const signal = new AbortController().signal;
  const open: { server: Server; sockets: Set<Socket> }[] = [];

  afterEach(() => {
    for (const { server, sockets } of open.splice(0)) {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    }
  });

  async function listen(answer: (request: string, socket: Socket) => void): Promise<Pick<Endpoint, 'host' | 'port'>> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => answer(chunk.toString(), socket));
    });
    open.push({ server, sockets });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }

  it('asks the path once where the answer is not 503', async () => {
    const requests: string[] = [];
    const endpoint = await listen((request, socket) => {
      requests.push(request);
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    });
    await untilReady(endpoint, '/_/ready', signal);
    expect(requests).toEqual([expect.stringMatching(/^GET \/_\/ready HTTP\/1\.1\r\nHost: 127\.0\.0\.1\r\n/)]);
  });

  it('asks again while the answer is 503', async () => {
    const answers = ['503 Service Unavailable', '503 Service Unavailable', '200 OK'];
    const endpoint = await listen((_request, socket) => socket.end(`HTTP/1.1 ${answers.shift() ?? '500'}\r\n\r\n`));
    await untilReady(endpoint, '/_/ready', signal);
    expect(answers).toEqual([]);
  });

  it.each([
    ['speaks no HTTP', (_request: string, socket: Socket) => void socket.end('what do you want from me?')],
    ['hangs up', (_request: string, socket: Socket) => void socket.destroy()],
    ['does not answer', () => undefined],
    ['sends byte by byte', (_request: string, socket: Socket) => void socket.write('H')],
  ])('takes a program for ready that %s', async (_what, answer) => {
    await untilReady(await listen(answer), '/_/ready', signal);
  });

  it('takes a replica for ready that cannot be reached: whether it listens is for junctiond to say', async () => {
    await untilReady({ host: '127.0.0.1', port: 1 }, '/_/ready', signal);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const endpoint = await listen((_request, socket) => {
      socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
      stop.abort(new Error('stopped'));
    });
    await expect(untilReady(endpoint, '/_/ready', stop.signal)).rejects.toThrow('stopped');
  });
});
