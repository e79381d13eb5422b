// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { SchedulerStatsService } from '../scheduler-stats.service.js';
import { DaemonClient } from './daemon-client.js';

const answer = {
  pid: 42,
  uptimeMs: 1_500,
  sampledAtUnixNs: '1763923200000000000',
  hostCores: 2,
  idleStates: { heldShallow: true, mechanism: 'cpu_dma_latency', holds: 3, heldMs: 2_500, wakeups: 4 },
  instances: [
    {
      id: 'aes-1',
      coreLimit: 1,
      guestSyscalls: '18446744073709551615',
      threads: 5,
      active: true,
      lastActiveUnixNs: '1763923200000000000',
    },
  ],
};

const uplink = {
  device: 'jn-test',
  up: true,
  reason: '',
  range: '10.62.0.0/16',
  address: '10.62.0.1',
  range6: 'fd62::/64',
  address6: 'fd62::1',
  mtuBytes: 1500,
  dns: '10.62.0.1',
  gatewayPort: 8080,
  drops: { multicast: '3' },
};

const port = {
  attached: true,
  framesOut: '5',
  bytesOut: '500',
  framesIn: '4',
  bytesIn: '400',
  drops: { spoofed: '2' },
};

describe('DaemonClient', () => {
  let folder: string;
  let server: Server;
  let serve: (socket: Socket) => void;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'daemon-client-'));
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        serve(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  });

  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  function client(deadlineMs = 5_000): DaemonClient {
    return new DaemonClient(join(folder, 'socket'), deadlineMs);
  }

  it('reads stats that come in pieces, 64-bit numbers exactly', async () => {
    const text = `${JSON.stringify(answer)}\n`;
    serve = (socket) => {
      socket.write(text.slice(0, 50));
      setImmediate(() => socket.write(text.slice(50)));
    };
    const stats = await client().stats();
    expect(stats.instances[0]?.guestSyscalls).toBe(18446744073709551615n);
    expect(stats.idleStates.heldShallow).toBe(true);
  });

  it('passes on what is known of the uplink', async () => {
    const [instance] = answer.instances;
    const told = {
      ...answer,
      uplink,
      events: { overflows: '1' },
      instances: [{ ...instance, events: '9', uplink: port }],
    };
    serve = (socket) => socket.end(`${JSON.stringify(told)}\n`);
    const service = new SchedulerStatsService({ stats: () => client().stats(), restarts: () => 0 });
    expect(await service.current()).toMatchObject({
      lostEvents: 1n,
      uplink: { device: 'jn-test', up: true, gatewayPort: 8080, drops: { multicast: 3n } },
      instances: [{ events: 9n, uplink: { attached: true, bytesIn: 400n, drops: { spoofed: 2n }, fault: '' } }],
    });
    const metrics = await service.metrics();
    expect(metrics.find(({ name }) => name === 'scheduler_uplink_drops')?.samples).toEqual([
      { labels: { instance: '', reason: 'multicast' }, value: 3 },
      { labels: { instance: 'aes-1', reason: 'spoofed' }, value: 2 },
    ]);
    expect(metrics.find(({ name }) => name === 'scheduler_uplink_bytes')?.samples).toEqual([
      { labels: { instance: 'aes-1', direction: 'out' }, value: 500 },
      { labels: { instance: 'aes-1', direction: 'in' }, value: 400 },
    ]);
  });

  it('refuses an answer that is no stats', async () => {
    serve = (socket) => socket.end('{"error":"unknown op"}\n');
    await expect(client().stats()).rejects.toThrow(/pid/);
  });

  it('rejects when the daemon hangs up, is late or is not there', async () => {
    serve = (socket) => socket.end('{"pid":');
    await expect(client().stats()).rejects.toThrow('hung up');
    serve = () => undefined;
    await expect(client(20).stats()).rejects.toThrow('within 20 ms');
    await expect(new DaemonClient(join(folder, 'nothing'), 1_000).stats()).rejects.toThrow('ENOENT');
  });

  it('feeds messages and metrics, and says so when no daemon answers', async () => {
    serve = (socket) => socket.end(`${JSON.stringify(answer)}\n`);
    const reachable = new SchedulerStatsService({ stats: () => client().stats(), restarts: () => 7 });
    expect(await reachable.current()).toMatchObject({
      running: true,
      daemonPid: 42,
      daemonRestarts: 7,
      uptimeMs: 1500n,
    });
    const metrics = await reachable.metrics();
    expect(metrics.find(({ name }) => name === 'scheduler_instances_active')?.samples).toEqual([
      { labels: {}, value: 1 },
    ]);
    expect(metrics.find(({ name }) => name === 'scheduler_idle_states_held_seconds')?.samples).toEqual([
      { labels: {}, value: 2.5 },
    ]);

    const alone = new SchedulerStatsService({ stats: () => Promise.reject(new Error('gone')), restarts: () => 8 });
    expect(await alone.current()).toMatchObject({ running: false, daemonRestarts: 8, instances: [] });
    expect((await alone.metrics()).map(({ name }) => name)).toEqual(['scheduler_running', 'scheduler_daemon_restarts']);
  });
});
