// SPDX-License-Identifier: Apache-2.0
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

export interface ExchangeOptions {
  /** POST unless said otherwise. */
  readonly method?: string;
  readonly body?: Buffer | string;
  /** Send the body chunked, these many bytes a chunk. */
  readonly chunkBytes?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without one, a connection of its own is used. */
  readonly agent?: Agent;
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The client's port: the same for two requests on one connection. */
  readonly localPort: number;
}

/** An agent that keeps at most `connections` connections open. */
export function keepAliveAgent(connections: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: connections });
}

/** One request and its whole answer; rejects where the connection fails or ends early. The path is sent as it is. */
export function exchange(url: string, options: ExchangeOptions = {}): Promise<HttpAnswer> {
  const { origin } = new URL(url);
  const body = Buffer.from(options.body ?? '');
  const method = options.method ?? 'POST';
  const isBodyAnnounced =
    options.chunkBytes === undefined && (body.length > 0 || method === 'POST' || method === 'PUT');
  const length = isBodyAnnounced ? { 'content-length': String(body.length) } : {};
  return new Promise((resolve, reject) => {
    const outgoing = request(origin, {
      method,
      path: url.slice(origin.length) || '/', // not the URL's own, which would be normalised
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
export function exchangeRaw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}
