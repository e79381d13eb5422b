// SPDX-License-Identifier: Apache-2.0
import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadConfig } from '@junctiond/config';
import { functionV1 } from '@junctiond/contracts';
import { createClient, type RpcClient } from '@junctiond/rpc';
import { PlatformModule } from '@junctiond/rpc/nest';
import { createLogger, startTelemetry, type Telemetry } from '@junctiond/telemetry';
import { RedisServer } from '@junctiond/testing';
import { providerConfig } from '../src/config.js';
import { ProviderModule } from '../src/provider.module.js';
import { FakeGateway } from './fake-gateway.fixture.js';
import { FakeJunctiond } from './fake-junctiond.fixture.js';

/** Pauses are short, so that a test which waits for one waits for an event and not for the clock. */
const SETTINGS = {
  JUNCTION_LOG_LEVEL: 'trace',
  JUNCTION_PORT_BASE: '0',
  JUNCTION_PROVIDER_RETRY_FIRST: '100ms',
  JUNCTION_PROVIDER_RETRY_MAX: '200ms',
  JUNCTION_PROVIDER_GATEWAY_ABSENCE: '100ms',
  JUNCTION_PROVIDER_JUNCTIOND_ABSENCE: '100ms',
  JUNCTION_PROVIDER_LEASE: '1s',
};

export interface Clients {
  readonly functions: RpcClient<typeof functionV1.FunctionServiceService>;
  readonly secrets: RpcClient<typeof functionV1.SecretServiceService>;
  readonly namespaces: RpcClient<typeof functionV1.NamespaceServiceService>;
  readonly info: RpcClient<typeof functionV1.InfoServiceService>;
}

/** A provider that runs, on a socket of its own. */
export interface RunningProvider {
  readonly socketPath: string;
  readonly clients: Clients;
  readonly telemetry: Telemetry;
  /** As on SIGTERM. */
  stop(): Promise<void>;
}

/** The real provider with a real Redis and a junctiond in memory, all of a test's own. */
export class ProviderBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'provider-'));
  readonly junctiond = new FakeJunctiond(join(this.folder, 'junctiond.sock'));
  readonly redis: RedisServer;
  /** Everything that providers logged. */
  readonly logLines: string[] = [];
  readonly #cleanups: (() => Promise<void>)[] = [];

  private constructor(redis: RedisServer) {
    this.redis = redis;
  }

  static async start(): Promise<ProviderBench> {
    const bench = new ProviderBench(await RedisServer.start({ appendOnly: true }));
    await bench.junctiond.start();
    return bench;
  }

  /** Starts a provider; several share Redis and junctiond. */
  async provider(name = 'provider', settings: Record<string, string> = {}): Promise<RunningProvider> {
    const socketPath = join(this.folder, `${name}.sock`);
    const config = loadConfig(providerConfig, {
      JUNCTION_RUN_DIR: this.folder,
      JUNCTION_STATE_DIR: join(this.folder, 'state'),
      JUNCTION_REDIS_URL: this.redis.url,
      JUNCTION_JUNCTIOND_ADDRESS: `unix:${this.junctiond.path}`,
      JUNCTION_PROVIDER_ADDRESS: `unix:${socketPath}`,
      ...SETTINGS,
      ...settings,
    });
    const logger = createLogger('provider', config.logLevel, { write: (line) => void this.logLines.push(line) });
    const telemetry = await startTelemetry({
      app: 'provider',
      version: 'test',
      metricsHost: '127.0.0.1',
      metricsPort: 0,
      onError: (error) => {
        throw error;
      },
    });

    @Module({ imports: [PlatformModule.with({ config, logger, telemetry }), ProviderModule.create()] })
    class RootModule {}

    const app: INestApplicationContext = await NestFactory.createApplicationContext(RootModule, {
      logger: false,
      abortOnError: false,
    });
    const address = { kind: 'unix', path: socketPath } as const;
    const options = { deadlineMs: 20_000 };
    const clients: Clients = {
      functions: createClient(functionV1.FunctionServiceService, address, options),
      secrets: createClient(functionV1.SecretServiceService, address, options),
      namespaces: createClient(functionV1.NamespaceServiceService, address, options),
      info: createClient(functionV1.InfoServiceService, address, options),
    };
    // A channel that saw an earlier provider on this socket end is not connected yet.
    await clients.info.getInfo({}, { waitForReady: true });
    let isStopped = false;
    const stop = async (): Promise<void> => {
      if (!isStopped) {
        isStopped = true;
        Object.values(clients).forEach((client: { close(): void }) => client.close());
        await app.close();
      }
    };
    this.#cleanups.push(stop);
    return { socketPath, clients, telemetry, stop };
  }

  gateway(provider: RunningProvider, id?: string): FakeGateway {
    const gateway = new FakeGateway(provider.socketPath, id).start();
    this.#cleanups.push(() => gateway.stop());
    return gateway;
  }

  async stop(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      await cleanup();
    }
    await this.junctiond.stop();
    await this.redis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A spec with the fields that must be there. */
export function specOf(name: string, more: Partial<functionV1.FunctionSpec> = {}): functionV1.FunctionSpec {
  return { ...functionV1.FunctionSpec.create({ name, image: `${name}:1` }), ...more };
}
