// SPDX-License-Identifier: Apache-2.0
// The unix socket on which every junction_run of this stack reports: a connection and a line of JSON for each event.
import { createServer, type Server, type Socket } from 'node:net';

import { placeSocket, type PlacedSocket } from '@junctiond/rpc';

import { type NotifyEvent, parseNotifyEvent } from './notify-event.js';

const MAX_LINE_BYTES = 4096;
/** Who does not send his line by then has been stopped or killed in the middle of it. */
const LINE_TIMEOUT_MS = 5000;
/** Linux cuts it to net.core.somaxconn. */
const BACKLOG = 4096;

export class NotifySocket {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #placed: PlacedSocket | undefined;

  constructor(onEvent: (event: NotifyEvent) => void) {
    this.#server = createServer({ allowHalfOpen: false }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      readLine(socket, (line) => {
        const event = parseNotifyEvent(line);
        if (event !== undefined) {
          onEvent(event);
        }
      });
    });
  }

  /** Listens; only root can connect. What an earlier junctiond left at `path` is replaced. */
  async open(path: string): Promise<void> {
    this.#placed = await placeSocket(path, (temporary) => {
      return new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ path: temporary, backlog: BACKLOG }, () => {
          this.#server.off('error', reject);
          resolve();
        });
      });
    });
  }

  async close(): Promise<void> {
    this.#placed?.remove();
    this.#sockets.forEach((socket) => socket.destroy());
    if (this.#server.listening) {
      await new Promise((resolve) => this.#server.close(resolve));
    }
  }
}

function readLine(socket: Socket, onLine: (line: string) => void): void {
  const chunks: Buffer[] = [];
  let size_bytes = 0;
  socket.setTimeout(LINE_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    const end = bytes.indexOf(0x0a);
    chunks.push(end === -1 ? bytes : bytes.subarray(0, end));
    size_bytes += bytes.length;
    if (end !== -1) {
      socket.destroy();
      onLine(Buffer.concat(chunks).toString('utf8'));
    } else if (size_bytes > MAX_LINE_BYTES) {
      socket.destroy();
    }
  });
}
