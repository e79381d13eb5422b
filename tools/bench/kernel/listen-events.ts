// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from 'node:net';

import { present } from '../present.ts';

interface InstanceEvent {
  readonly event: string;
  readonly monitorPid: number;
  readonly hostPort: number;
}

/** The port and the instance of a line that junction_run sent, or undefined if it tells of something else. */
export function parseListenEvent(line: string): { monitorPid: number; hostPort: number } | undefined {
  const { event, monitorPid, hostPort } = JSON.parse(line) as Partial<InstanceEvent>;
  return event === 'listening' && monitorPid !== undefined && hostPort !== undefined
    ? { monitorPid, hostPort }
    : undefined;
}

/** A notify socket for junction_run: tells which host port an instance's first listener got. */
export class ListenEvents {
  readonly path: string;
  private readonly server: Server;
  private readonly ports = new Map<number, number>();
  private readonly waiting = new Map<number, (port: number) => void>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.server = server;
  }

  static async open(path: string): Promise<ListenEvents> {
    const server = createServer();
    const events = new ListenEvents(path, server);
    server.on('connection', (socket) => {
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket.on('error', () => socket.destroy());
      socket.on('end', () => {
        events.take(text);
        socket.end();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    return events;
  }

  /** The host port of the instance that this monitor runs, as soon as it is known. */
  async portOf(monitorPid: number, timeoutMs: number): Promise<number> {
    const known = this.ports.get(monitorPid);
    if (known !== undefined) {
      return known;
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(monitorPid);
        reject(new Error(`the instance did not listen within ${timeoutMs.toString()} ms`));
      }, timeoutMs);
      this.waiting.set(monitorPid, (port) => {
        clearTimeout(timer);
        resolve(port);
      });
    });
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(text: string): void {
    for (const line of text.split('\n').filter((entry) => entry !== '')) {
      const listening = parseListenEvent(line);
      if (listening !== undefined && !this.ports.has(listening.monitorPid)) {
        this.ports.set(listening.monitorPid, listening.hostPort);
        this.waiting.get(listening.monitorPid)?.(present(listening.hostPort, 'a port'));
        this.waiting.delete(listening.monitorPid);
      }
    }
  }
}
