// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '@junctiond/testing';

import { systemClock } from '../clock.js';
import { SchedulerRegistrar } from './scheduler-registrar.js';

/** The daemon's side. */
class FakeDaemon {
  readonly lines: unknown[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(path: string) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      let rest = '';
      socket.on('data', (chunk) => {
        const parts = (rest + chunk.toString()).split('\n');
        rest = parts.pop() ?? '';
        this.lines.push(...parts.map((line) => JSON.parse(line) as unknown));
      });
    });
    this.#server.listen(path);
  }

  say(text: string): void {
    this.#sockets.forEach((socket) => socket.write(text));
  }

  async stop(): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let folder: string;
let path: string;
let registrar: SchedulerRegistrar;
let troubles: string[];
let daemon: FakeDaemon | undefined;

const entry = (id: string, coreLimit = 1): { id: string; control: string; pid: number; coreLimit: number } => ({
  id,
  control: `/run/${id}/control`,
  pid: 7,
  coreLimit,
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'registrar-'));
  path = join(folder, 'scheduler.sock');
  troubles = [];
  registrar = new SchedulerRegistrar({
    socketPath: path,
    clock: systemClock,
    connected: () => undefined,
    trouble: (message) => troubles.push(message),
  });
});

afterEach(async () => {
  registrar.close();
  await daemon?.stop();
  daemon = undefined;
  rmSync(folder, { recursive: true });
});

describe('SchedulerRegistrar', () => {
  it('sends the whole set first, then changes', async () => {
    daemon = new FakeDaemon(path);
    const { lines } = daemon;
    registrar.set(entry('a'));
    registrar.open();
    await until('lines of the registrar', () => lines.length === 1);
    registrar.set(entry('b'));
    registrar.setCoreLimit('b', 4);
    registrar.setCoreLimit('b', 4);
    registrar.setCoreLimit('none', 4);
    registrar.remove('a');
    registrar.remove('a');
    await until('lines of the registrar', () => lines.length === 4);
    expect(lines).toEqual([
      { op: 'sync', instances: [entry('a')] },
      { op: 'add', ...entry('b') },
      { op: 'update', id: 'b', coreLimit: 4 },
      { op: 'remove', id: 'a' },
    ]);
  });

  it('is not disturbed by a daemon that is down, and tells it everything when it comes', async () => {
    registrar.open();
    registrar.set(entry('a'));
    registrar.set(entry('b'));
    registrar.remove('a');
    daemon = new FakeDaemon(path);
    const { lines } = daemon;
    await until('lines of the registrar', () => lines.length === 1);
    expect(lines).toEqual([{ op: 'sync', instances: [entry('b')] }]);
  });

  it('tells a daemon that was restarted everything again', async () => {
    daemon = new FakeDaemon(path);
    const first = daemon.lines;
    registrar.open();
    registrar.set(entry('a'));
    await until('lines of the registrar', () => first.length > 0);
    await daemon.stop();
    registrar.set(entry('b', 2));
    daemon = new FakeDaemon(path);
    const { lines } = daemon;
    await until('lines of the registrar', () => lines.length === 1);
    expect(lines).toEqual([{ op: 'sync', instances: [entry('a'), entry('b', 2)] }]);
    expect(troubles).toEqual([]);
  });

  it('passes on what the daemon complains of', async () => {
    daemon = new FakeDaemon(path);
    const { lines } = daemon;
    registrar.open();
    await until('lines of the registrar', () => lines.length === 1);
    daemon.say('{"error":"no such control block"}\n');
    await until('lines of the registrar', () => troubles.length === 1);
    expect(troubles[0]).toContain('no such control block');
  });
});
