// SPDX-License-Identifier: Apache-2.0
import {
  Inject,
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { formatAddress, type Address } from '@junctiond/config';
import type { Logger } from '@junctiond/telemetry';
import { readRpcCredentials } from '../credentials.js';
import type { AnyMethod, Service } from '../method.js';
import type { Handler, Implementation } from '../rpc-call.js';
import type { ErrorKind } from '../rpc-error.js';
import { serve, type RpcServer } from '../server.js';
import { handledPath } from './rpc-handler.decorator.js';
import { APP_CONFIG, LOGGER, RPC_SERVER_OPTIONS } from './tokens.js';

type RpcConfig = Parameters<typeof readRpcCredentials>[0];

/** What an app says of its gRPC server. `C` is the app's configuration. */
export interface RpcServerModuleOptions<C extends RpcConfig> {
  readonly services: readonly Service[];
  readonly address: (config: C) => Address;
  /** How long unary calls may take to finish once the app is told to stop. */
  readonly graceMs?: number;
  /** Gets each call that is over, for metrics. */
  readonly onFinished?: (path: string, outcome: ErrorKind | 'ok', seconds: number) => void;
}

/** Chosen: longer than a unary call of ours takes, shorter than the 10 s that an app has to exit. */
const defaultGraceMs = 2_000;

/** Starts the app's gRPC server when all modules are ready, and stops it before they are closed. */
@Injectable()
export class RpcServerHost implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #server: RpcServer | undefined;

  constructor(
    @Inject(RPC_SERVER_OPTIONS) private readonly options: RpcServerModuleOptions<RpcConfig>,
    @Inject(APP_CONFIG) private readonly config: RpcConfig,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly discovery: DiscoveryService,
  ) {}

  /** Where it listens; undefined before bootstrap. */
  get address(): Address | undefined {
    return this.#server?.address;
  }

  /** What health checks answer. */
  setServing(isServing: boolean): void {
    this.#server?.setServing(isServing);
  }

  async onApplicationBootstrap(): Promise<void> {
    const handlers = this.#findHandlers();
    const { onFinished } = this.options;
    this.#server = await serve({
      address: this.options.address(this.config),
      credentials: readRpcCredentials(this.config),
      services: this.options.services.map((service) => toImplementation(service, handlers)),
      onDefect: (path, error) => this.log.error({ error, path }, 'a call failed unexpectedly'),
      ...(onFinished === undefined ? {} : { onFinished }),
    });
    this.log.info({ address: formatAddress(this.#server.address) }, 'serving gRPC');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#server?.stop(this.options.graceMs ?? defaultGraceMs);
  }

  #findHandlers(): Map<string, Handler<AnyMethod>> {
    const handlers = new Map<string, Handler<AnyMethod>>();
    for (const { metatype, instance } of this.discovery.getProviders()) {
      const path = handledPath(metatype);
      if (path === undefined) continue;
      if (handlers.has(path)) throw new Error(`${path} has two handlers`);
      const target = instance as { handle: Handler<AnyMethod> };
      handlers.set(path, target.handle.bind(target));
    }
    return handlers;
  }
}

/** `serve` refuses what has no handler. */
function toImplementation(service: Service, handlers: ReadonlyMap<string, Handler<AnyMethod>>): Implementation {
  const entries = Object.entries(service).flatMap(([name, { path }]) => {
    const handler = handlers.get(path);
    return handler === undefined ? [] : [[name, handler] as const];
  });
  return { service, handlers: Object.fromEntries(entries) };
}

/** The gRPC server of an app: import `RpcServerModule.register(...)` in the root module. */
@Module({})
export class RpcServerModule {
  static register<C extends RpcConfig>(options: RpcServerModuleOptions<C>): DynamicModule {
    return {
      module: RpcServerModule,
      imports: [DiscoveryModule],
      providers: [{ provide: RPC_SERVER_OPTIONS, useValue: options }, RpcServerHost],
      exports: [RpcServerHost],
    };
  }
}
