// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import { createClient } from '@junctiond/rpc';
import { freePort, RedisServer, until } from '@junctiond/testing';
import { FakeGateway } from './fake-gateway.fixture.js';
import { FakeJunctiond } from './fake-junctiond.fixture.js';
import { specOf } from './provider.fixture.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('the provider as a process', () => {
  let folder: string;
  let redis: RedisServer;
  let junctiond: FakeJunctiond;
  let metricsPort: number;
  const children: ChildProcess[] = [];
  const cleanups: (() => Promise<void> | void)[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'provider-'));
    redis = await RedisServer.start();
    junctiond = new FakeJunctiond(join(folder, 'junctiond.sock'));
    await junctiond.start();
    metricsPort = await freePort();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) {
      await cleanup();
    }
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    await junctiond.stop();
    await redis.stop();
    rmSync(folder, { recursive: true });
  });

  function start(settings: Record<string, string> = {}): { child: ChildProcess; output: () => string } {
    const child = spawn(
      process.execPath,
      [
        '--conditions=@junctiond/source',
        '--import',
        './tools/workspace/register-source.ts',
        'apps/provider/src/main.ts',
      ],
      {
        cwd: ROOT,
        env: {
          PATH: process.env['PATH'],
          JUNCTION_RUN_DIR: folder,
          JUNCTION_STATE_DIR: join(folder, 'state'),
          JUNCTION_REDIS_URL: redis.url,
          JUNCTION_PROVIDER_METRICS_PORT: String(metricsPort),
          // So long that a successor which had to wait for it would not be ready in time.
          JUNCTION_PROVIDER_LEASE: '300s',
          ...settings,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    children.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output };
  }

  const isHealthy = async (): Promise<boolean> => {
    const response = await fetch(`http://127.0.0.1:${metricsPort}/healthz`);
    return response.status === 200 && (await response.text()) === 'ok\n';
  };

  it('takes over at once after kill -9, changes nothing, and leaves with 0 on SIGTERM', async () => {
    const first = start();
    await until('the first to be ready', isHealthy);
    const socketPath = join(folder, 'provider.sock');
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    const address = { kind: 'unix', path: socketPath } as const;
    const client = createClient(functionV1.FunctionServiceService, address, { deadlineMs: 20_000 });
    cleanups.push(() => client.close());
    const gateway = new FakeGateway(socketPath).start();
    cleanups.push(() => gateway.stop());
    await client.deployFunction({ spec: specOf('aes') }, { waitForReady: true });
    const id = await until('a replica', () => gateway.serving('aes.openfaas-fn')[0]);
    const { version } = gateway;
    junctiond.calls.length = 0;

    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    expect(gateway.serving('aes.openfaas-fn')).toEqual([id]);

    const second = start();
    await until('the routes of the second', () => gateway.version > version);
    expect(gateway.serving('aes.openfaas-fn')).toEqual([id]);
    expect(junctiond.calls).toEqual([]);
    const { function: found } = await client.getFunction(
      { name: 'aes', namespace: '', usage: false },
      { waitForReady: true },
    );
    expect(found).toMatchObject({ replicas: 1, availableReplicas: 1 });

    second.child.kill('SIGTERM');
    expect(await once(second.child, 'exit')).toEqual([0, null]);
    expect(junctiond.ids()).toEqual([id]);
  });

  it('refuses a bad configuration with all faults and status 78', async () => {
    const { child, output } = start({
      JUNCTION_PROVIDER_LEASE: 'long',
      JUNCTION_PROVIDER_STARTS_AT_ONCE: '0',
      JUNCTION_PROVIDER_UNKNOWN: '1',
    });
    expect(await once(child, 'exit')).toEqual([78, null]);
    for (const name of ['JUNCTION_PROVIDER_LEASE', 'JUNCTION_PROVIDER_STARTS_AT_ONCE', 'JUNCTION_PROVIDER_UNKNOWN']) {
      expect(output()).toContain(name);
    }
  });
});
