// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '@junctiond/testing';

import type { NotifyEvent } from './notify-event.js';
import { NotifySocket } from './notify-socket.js';

let folder: string;
let path: string;
let events: NotifyEvent[];
let socket: NotifySocket;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'notify-'));
  path = join(folder, 'events.sock');
  events = [];
  socket = new NotifySocket((event) => events.push(event));
  await socket.open(path);
});

afterEach(async () => {
  await socket.close();
  rmSync(folder, { recursive: true });
});

/** Sends parts over one connection; settles when the other side has closed it. */
const send = (...parts: (string | Buffer)[]): Promise<void> =>
  new Promise((resolve) => {
    const client = connect(path, () => {
      for (const part of parts) client.write(part);
    });
    client.on('error', () => undefined);
    client.on('close', () => {
      resolve();
    });
  });
const listening = (guestPort: number): string =>
  JSON.stringify({ id: 'a', event: 'listening', guestPort, hostPort: 40_000, protocol: 'tcp', monitorPid: 5 });

describe('NotifySocket', () => {
  it('is for root only', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('takes one line a connection, in parts too', async () => {
    await send(`${listening(1)}\n${listening(2)}\n`);
    await send(listening(3).slice(0, 10), listening(3).slice(10), '\n');
    await until('both events', () => events.length === 2);
    expect(events).toEqual([
      { kind: 'listening', id: 'a', guestPort: 1, hostPort: 40_000, monitorPid: 5 },
      { kind: 'listening', id: 'a', guestPort: 3, hostPort: 40_000, monitorPid: 5 },
    ]);
  });

  it('takes many connections at once', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, index) => send(`${listening(index + 1)}\n`)));
    await until('all events', () => events.length === 200);
  });

  it('closes on who says nonsense or too much, and goes on', async () => {
    await send('nonsense\n');
    await send(Buffer.alloc(100_000, 0x41));
    await send(Buffer.from([0xff, 0xfe, 0x0a]));
    await send(`${listening(9)}\n`);
    await until('the event', () => events.length === 1);
    expect(events[0]).toMatchObject({ guestPort: 9 });
  });

  it('is replaced by its successor, but not while it lives', async () => {
    const second = new NotifySocket(() => undefined);
    await expect(second.open(path)).rejects.toThrow('already listens');
    await socket.close();
    await second.open(path);
    await second.close();
  });
});
