// SPDX-License-Identifier: Apache-2.0
import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, type INestApplicationContext, type Provider } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Address } from '@junctiond/config';
import { functionV1 } from '@junctiond/contracts';
import { createLogger, type Telemetry } from '@junctiond/telemetry';
import { createClient } from '../client.js';
import type { RpcCall } from '../rpc-call.js';
import { PlatformModule } from './platform.module.js';
import { provideRpcClient } from './rpc-client.provider.js';
import { RpcHandler } from './rpc-handler.decorator.js';
import { RpcServerModule } from './rpc-server.module.js';
import { LOGGER } from './tokens.js';

const { InfoServiceService, RouteServiceService } = functionV1;

@Injectable()
class VersionService {
  readonly version = '1.2.3';
}

@RpcHandler(InfoServiceService.getInfo)
class GetInfoHandler {
  constructor(
    private readonly versions: VersionService,
    @Inject(LOGGER) private readonly log: unknown,
  ) {}

  async handle(_request: functionV1.GetInfoRequest, call: RpcCall): Promise<functionV1.GetInfoResponse> {
    expect(this.log).toBeDefined();
    expect(call.path).toBe('/junctiond.function.v1.InfoService/GetInfo');
    return { provider: 'p', orchestration: 'o', version: this.versions.version, sha: 's', arch: 'a' };
  }
}

@RpcHandler(RouteServiceService.watchRoutes)
class WatchRoutesHandler {
  async *handle(): AsyncGenerator<functionV1.RouteUpdate> {
    yield { snapshot: true, version: 7n, upserts: [], removes: [] };
  }
}

interface TestConfig {
  readonly address: Address;
  readonly rpcTokenFile: undefined;
  readonly rpcTlsCaFile: undefined;
  readonly rpcTlsCertFile: undefined;
  readonly rpcTlsKeyFile: undefined;
}

const watchOnly = { watchRoutes: RouteServiceService.watchRoutes };

describe('RpcServerModule', () => {
  let folder: string;
  let config: TestConfig;
  let app: INestApplicationContext | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rpc-nest-'));
    config = {
      address: { kind: 'unix', path: join(folder, 'app.sock') },
      rpcTokenFile: undefined,
      rpcTlsCaFile: undefined,
      rpcTlsCertFile: undefined,
      rpcTlsKeyFile: undefined,
    };
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const create = async (providers: Provider[]): Promise<INestApplicationContext> => {
    const telemetry: Partial<Telemetry> = { close: () => Promise.resolve() };
    @Module({
      imports: [
        PlatformModule.with({ config, logger: createLogger('test', 'error'), telemetry: telemetry as Telemetry }),
        RpcServerModule.register<TestConfig>({
          services: [InfoServiceService, watchOnly],
          address: (each) => each.address,
        }),
      ],
      providers,
    })
    class RootModule {}
    const module = await Test.createTestingModule({ imports: [RootModule] }).compile();
    app = module;
    return module;
  };

  it('serves the handlers that it finds among the providers, with their dependencies', async () => {
    const client = Symbol('client');
    const context = await create([
      VersionService,
      GetInfoHandler,
      WatchRoutesHandler,
      provideRpcClient(client, InfoServiceService, { address: (each: TestConfig) => each.address, deadlineMs: 10_000 }),
    ]);
    await context.init();
    const info = context.get<ReturnType<typeof createClient<typeof InfoServiceService>>>(client);
    expect(await info.getInfo({})).toMatchObject({ version: '1.2.3' });
    info.close();
    const routes = createClient(watchOnly, config.address, { deadlineMs: 10_000 });
    const versions: bigint[] = [];
    for await (const { version } of routes.watchRoutes({ gatewayId: 'g' }, { deadlineMs: 10_000 }))
      versions.push(version);
    expect(versions).toEqual([7n]);
    routes.close();
  });

  it('refuses to start when a method has no handler', async () => {
    const context = await create([VersionService, GetInfoHandler]);
    await expect(context.init()).rejects.toThrow('/junctiond.function.v1.RouteService/WatchRoutes has no handler');
  });

  it('refuses to start when a method has two handlers', async () => {
    @RpcHandler(RouteServiceService.watchRoutes)
    class SecondHandler {
      async *handle(): AsyncGenerator<functionV1.RouteUpdate> {}
    }
    const context = await create([VersionService, GetInfoHandler, WatchRoutesHandler, SecondHandler]);
    await expect(context.init()).rejects.toThrow('has two handlers');
  });
});
