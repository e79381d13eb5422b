// SPDX-License-Identifier: Apache-2.0
import 'reflect-metadata';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { loadConfig } from '@junctiond/config';
import { NestLogger, PlatformModule } from '@junctiond/rpc/nest';
import { createLogger, startTelemetry, type Telemetry } from '@junctiond/telemetry';
import { gatewayConfig, type GatewayConfig } from '../src/config.js';
import { createGateway } from '../src/create-gateway.js';
import { GatewayModule } from '../src/gateway.module.js';
import { exactCounterNames } from '../src/ingress/ingress-metrics.js';
import { FakeIngress } from './fake-ingress.fixture.js';
import { FakeProvider } from './fake-provider.fixture.js';

/** What a request was answered with. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

/** How a request is sent; with the right credentials unless told otherwise. */
export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Sends no credentials. */
  readonly anonymous?: boolean;
}

/** A gateway with its API on a unix socket, a fake provider behind it and a fake ingress before it. */
export class GatewayFixture {
  readonly ingress = new FakeIngress();
  /** The lines of its log, parsed. */
  readonly logLines: Record<string, unknown>[] = [];
  #app: NestFastifyApplication | undefined;

  private constructor(
    readonly folder: string,
    readonly config: GatewayConfig,
    readonly provider: FakeProvider,
    readonly telemetry: Telemetry,
  ) {}

  /** `prepare` may change the provider before the gateway sees it. */
  static async start(
    env: Record<string, string> = {},
    prepare: (provider: FakeProvider) => void | Promise<void> = () => undefined,
  ): Promise<GatewayFixture> {
    const folder = mkdtempSync(join(tmpdir(), 'gw-'));
    const config = loadConfig(gatewayConfig, {
      JUNCTION_STACK: 'test',
      JUNCTION_RUN_DIR: folder,
      JUNCTION_STATE_DIR: join(folder, 'state'),
      JUNCTION_PORT_BASE: '0',
      ...env,
    });
    const provider = new FakeProvider(config.paths.providerSocket);
    await provider.start();
    await prepare(provider);
    const telemetry = await startTelemetry({
      app: 'gateway',
      version: '0',
      metricsHost: '127.0.0.1',
      metricsPort: 0,
      exactCounterNames,
      ...(config.otlpEndpoint === undefined ? {} : { otlpEndpoint: config.otlpEndpoint }),
      onError: (error) => {
        throw error;
      },
    });
    const fixture = new GatewayFixture(folder, config, provider, telemetry);
    await fixture.#create();
    return fixture;
  }

  async #create(): Promise<void> {
    const { config, telemetry, ingress } = this;
    const logger = createLogger('gateway', 'debug', {
      write: (line) => this.logLines.push(JSON.parse(line) as Record<string, unknown>),
    });
    @Module({
      imports: [PlatformModule.with({ config, logger, telemetry }), GatewayModule.with(config, ingress.start)],
    })
    class TestModule {}
    this.#app = await createGateway(TestModule, { logger: new NestLogger(logger), abortOnError: false }, config);
  }

  /** Runs the shutdown hooks, as SIGTERM does. */
  async close(): Promise<void> {
    const app = this.#app;
    this.#app = undefined;
    await app?.close();
  }

  async dispose(): Promise<void> {
    await this.close();
    await this.provider.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get password(): string {
    return readFileSync(this.config.basicAuthPasswordFile, 'utf8');
  }

  /** Sends a request and answers as soon as its headers are there. */
  open(method: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const { body, headers = {}, anonymous = false } = options;
    const sent: string | Buffer | undefined =
      typeof body === 'string' || Buffer.isBuffer(body) ? body : body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const out = request(
        {
          socketPath: this.config.paths.gatewayApiSocket,
          method,
          path,
          headers: {
            ...(anonymous
              ? {}
              : { authorization: `Basic ${Buffer.from(`admin:${this.password}`).toString('base64')}` }),
            ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
            ...headers,
          },
        },
        resolve,
      );
      out.on('error', reject);
      out.end(sent);
    });
  }

  /** Sends a request and reads the whole answer. */
  async send(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const answer = await this.open(method, path, options);
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
    const isJson = (answer.headers['content-type'] ?? '').startsWith('application/json');
    return { status: answer.statusCode!, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }
}
