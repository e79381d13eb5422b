// SPDX-License-Identifier: Apache-2.0
import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider as NestProvider,
  type Type,
} from '@nestjs/common';
import { functionV1 } from '@junctiond/contracts';
import { APP_CONFIG, LOGGER, RpcServerHost, RpcServerModule, TELEMETRY } from '@junctiond/rpc/nest';
import type { Logger, Telemetry } from '@junctiond/telemetry';
import type { ProviderConfig } from './config.js';
import { createProvider, type Provider } from './create-provider.js';
import { DeleteFunctionHandler } from './functions/delete-function.handler.js';
import { DeployFunctionHandler } from './functions/deploy-function.handler.js';
import { FunctionReader } from './functions/function-reader.js';
import { FunctionService } from './functions/function.service.js';
import { GetFunctionHandler } from './functions/get-function.handler.js';
import { ListFunctionsHandler } from './functions/list-functions.handler.js';
import { RequestReplicaHandler } from './functions/request-replica.handler.js';
import { ScaleFunctionHandler } from './functions/scale-function.handler.js';
import { UpdateFunctionHandler } from './functions/update-function.handler.js';
import { GetInfoHandler } from './info/get-info.handler.js';
import { LogReader } from './logs/log-reader.js';
import { ReadLogsHandler } from './logs/read-logs.handler.js';
import { functionMetrics } from './metrics/function-metrics.js';
import { RpcMetrics } from './metrics/rpc-metrics.js';
import { CreateNamespaceHandler } from './namespaces/create-namespace.handler.js';
import { DeleteNamespaceHandler } from './namespaces/delete-namespace.handler.js';
import { GetNamespaceHandler } from './namespaces/get-namespace.handler.js';
import { ListNamespacesHandler } from './namespaces/list-namespaces.handler.js';
import { NamespaceService } from './namespaces/namespace.service.js';
import { UpdateNamespaceHandler } from './namespaces/update-namespace.handler.js';
import { GatewayRegistry } from './routes/gateway-registry.js';
import { ReportRoutesHandler } from './routes/report-routes.handler.js';
import { RouteTable } from './routes/route-table.js';
import { WatchRoutesHandler } from './routes/watch-routes.handler.js';
import { CreateSecretHandler } from './secrets/create-secret.handler.js';
import { DeleteSecretHandler } from './secrets/delete-secret.handler.js';
import { ListSecretsHandler } from './secrets/list-secrets.handler.js';
import { SecretService } from './secrets/secret.service.js';
import { UpdateSecretHandler } from './secrets/update-secret.handler.js';

const PROVIDER = Symbol('PROVIDER');

/** A part of the provider under its class, for the handlers. */
function part<T>(token: Type<T>, take: (provider: Provider) => T): NestProvider {
  return { provide: token, inject: [PROVIDER], useFactory: take };
}

/** Starts the provider with the app and stops it after its gRPC server. */
@Injectable()
export class ProviderHost implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(PROVIDER) private readonly provider: Provider,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    private readonly rpcMetrics: RpcMetrics,
    private readonly server: RpcServerHost,
  ) {}

  onModuleInit(): void {
    this.telemetry.addSource(this.rpcMetrics.source);
    this.telemetry.addSource(functionMetrics(this.provider));
    this.telemetry.setHealth(() => this.provider.state.health);
    this.provider.start();
  }

  /** gRPC health: not serving before the state is known, as /healthz. The server of an imported module listens by now. */
  onApplicationBootstrap(): void {
    const tell = (): void => this.server.setServing(this.provider.state.health.isHealthy);
    this.provider.state.onReady(tell);
    tell();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.provider.stop();
  }
}

/** The provider app: one handler a method, on the parts that `createProvider` puts together. */
@Module({})
export class ProviderModule {
  static create(): DynamicModule {
    const rpcMetrics = new RpcMetrics();
    return {
      module: ProviderModule,
      imports: [
        RpcServerModule.register<ProviderConfig>({
          services: [
            functionV1.FunctionServiceService,
            functionV1.SecretServiceService,
            functionV1.NamespaceServiceService,
            functionV1.RouteServiceService,
            functionV1.InfoServiceService,
          ],
          address: ({ address }) => address,
          onFinished: rpcMetrics.count,
        }),
      ],
      providers: [
        { provide: RpcMetrics, useValue: rpcMetrics },
        {
          provide: PROVIDER,
          inject: [APP_CONFIG, LOGGER],
          useFactory: (config: ProviderConfig, log: Logger) => createProvider(config, log),
        },
        ProviderHost,
        part(FunctionService, ({ functions }) => functions),
        part(FunctionReader, ({ reader }) => reader),
        part(LogReader, ({ logs }) => logs),
        part(SecretService, ({ secrets }) => secrets),
        part(NamespaceService, ({ namespaces }) => namespaces),
        part(RouteTable, ({ routes }) => routes),
        part(GatewayRegistry, ({ gateways }) => gateways),
        ...[DeployFunctionHandler, UpdateFunctionHandler, DeleteFunctionHandler, ScaleFunctionHandler],
        ...[GetFunctionHandler, ListFunctionsHandler, RequestReplicaHandler, ReadLogsHandler],
        ...[ListSecretsHandler, CreateSecretHandler, UpdateSecretHandler, DeleteSecretHandler],
        ...[ListNamespacesHandler, GetNamespaceHandler, CreateNamespaceHandler, UpdateNamespaceHandler],
        DeleteNamespaceHandler,
        ...[WatchRoutesHandler, ReportRoutesHandler, GetInfoHandler],
      ],
    };
  }
}
