// SPDX-License-Identifier: Apache-2.0
import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

export interface Exchange {
  readonly method?: string;
  readonly body?: Buffer | string;
  /** Send the body chunked, these many bytes a chunk. */
  readonly chunkBytes?: number;
  readonly headers?: Record<string, string>;
  /** Without one, a connection of its own is used. */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The client's port: the same for two requests on one connection. */
  readonly localPort: number;
}

/** An agent that keeps `connections` connections open. */
export function keepAliveAgent(connections: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: connections });
}

/** One request and its whole answer. POST unless said otherwise. */
export function exchange(url: string, options: Exchange = {}): Promise<Answer> {
  const body = Buffer.from(options.body ?? '');
  const method = options.method ?? 'POST';
  const length = options.chunkBytes === undefined && method === 'POST' ? { 'content-length': String(body.length) } : {};
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      agent: options.agent ?? false,
      headers: { ...length, ...options.headers },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const parts: Buffer[] = [];
      const localPort = incoming.socket.localPort ?? 0;
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(parts), localPort }),
      );
    });
    if (options.chunkBytes === undefined) {
      outgoing.end(body);
      return;
    }
    for (let at = 0; at < body.length; at += options.chunkBytes) {
      outgoing.write(body.subarray(at, at + options.chunkBytes));
    }
    outgoing.end();
  });
}

/** Sends bytes as they are and returns all that comes back until the other side closes. */
export function exchangeRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}
