// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type RequestListener, type Server, createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { exchange, exchangeRaw } from './http-exchange.js';

let server: Server | undefined;

async function serve(listener: RequestListener): Promise<number> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe('exchange', () => {
  it('sends the path as it is written', async () => {
    const port = await serve((request, response) => response.end(request.url));
    const answer = await exchange(`http://127.0.0.1:${port}/a/../b%2Fc//d?e=%20f`);
    expect(answer.body.toString()).toBe('/a/../b%2Fc//d?e=%20f');
  });

  it('rejects an answer that ends early', async () => {
    const port = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half', () => response.destroy());
    });
    await expect(exchange(`http://127.0.0.1:${port}`)).rejects.toThrow('aborted');
  });
});

describe('exchangeRaw', () => {
  it('returns all bytes of the answers', async () => {
    const port = await serve((request, response) => response.end(request.url));
    const received = await exchangeRaw(port, 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\/x$/);
  });
});
