// SPDX-License-Identifier: Apache-2.0
// The frame of every app: configuration, log, telemetry, Nest, signals, exit status. An app's main.ts is one call.
import 'reflect-metadata';
import {
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type LoggerService,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ConfigError,
  loadConfig,
  readBuildInfo,
  type ConfigOfFields,
  type ConfigSchema,
  type Fields,
} from '@junctiond/config';
import { createLogger, startTelemetry, type Logger, type LogLevel } from '@junctiond/telemetry';
import { NestLogger } from './nest-logger.js';
import { PlatformModule } from './platform.module.js';

/** EX_CONFIG of sysexits(3): starting again is no use until the configuration is changed. */
const exitStatusOfBadConfig = 78;

/** What every app's configuration has: spread `telemetryFields` into its schema. */
interface TelemetryConfig {
  readonly logLevel: LogLevel;
  readonly otlpEndpoint: string | undefined;
  readonly metricsHost: string;
}

/** Options that a Nest application of any kind is created with. */
export interface ContextOptions {
  readonly logger: LoggerService;
  readonly abortOnError: false;
}

/** What an app is made of. */
export interface AppDefinition<F extends Fields> {
  readonly schema: ConfigSchema<F>;
  readonly metricsPort: (config: ConfigOfFields<F>) => number;
  readonly root: (config: ConfigOfFields<F>) => Type<unknown> | DynamicModule;
  /** Counters whose names do not end in `_total`. */
  readonly exactCounterNames?: readonly string[];
  /** Creates and initialises the application; without it the app has no HTTP server of its own. */
  readonly create?: (
    root: Type<unknown>,
    options: ContextOptions,
    config: ConfigOfFields<F>,
  ) => Promise<INestApplicationContext>;
}

/**
 * Runs an app until SIGTERM or SIGINT: shutdown hooks, then exit 0. Bad configuration: all faults on stderr, exit 78.
 * Any other failure at the start, or an error that nobody caught: logged, exit 1.
 */
export async function runApp<F extends Fields>(definition: AppDefinition<F>): Promise<void> {
  const { schema } = definition;
  let log: Logger | undefined;
  try {
    const config = loadConfig(schema);
    log = createLogger(schema.app, (config as unknown as TelemetryConfig).logLevel);
    exitOnUncaught(log);
    await start(definition, config, log);
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(exitStatusOfBadConfig);
    }
    if (log === undefined) throw error;
    log.fatal({ error }, 'cannot start');
    process.exit(1);
  }
}

async function start<F extends Fields>(
  { schema, metricsPort, root, exactCounterNames, create }: AppDefinition<F>,
  config: ConfigOfFields<F>,
  log: Logger,
): Promise<void> {
  const { otlpEndpoint, metricsHost } = config as unknown as TelemetryConfig;
  const { release, sha } = readBuildInfo();
  const telemetry = await startTelemetry({
    app: schema.app,
    version: release,
    metricsHost,
    metricsPort: metricsPort(config),
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
    ...(exactCounterNames === undefined ? {} : { exactCounterNames }),
    onError: (error) => log.error({ error }, 'metrics are incomplete'),
  });

  let isStarted = false;
  telemetry.setHealth(() =>
    isStarted ? { isHealthy: true, message: 'ok' } : { isHealthy: false, message: 'starting' },
  );

  @Module({ imports: [PlatformModule.with({ config, logger: log, telemetry }), root(config)] })
  class AppRootModule {}

  const options: ContextOptions = { logger: new NestLogger(log), abortOnError: false };
  const app =
    create === undefined
      ? await NestFactory.createApplicationContext(AppRootModule, options)
      : await create(AppRootModule, options, config);
  isStarted = true;
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  log.info({ release, sha, stack: config.paths.stack, metricsPort: telemetry.port }, 'started');
}

function exitOnUncaught(log: Logger): void {
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ error, origin }, 'uncaught error');
    process.exit(1);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ error }, 'a promise was rejected and nobody heard it');
    process.exit(1);
  });
}
