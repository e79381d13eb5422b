// SPDX-License-Identifier: Apache-2.0
import { Inject, Injectable, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger, Telemetry } from '@junctiond/telemetry';
import { APP_CONFIG, LOGGER, TELEMETRY } from './tokens.js';

@Injectable()
class TelemetryCloser implements OnApplicationShutdown {
  constructor(@Inject(TELEMETRY) private readonly telemetry: Telemetry) {}

  async onApplicationShutdown(): Promise<void> {
    await this.telemetry.close();
  }
}

/** Gives every module of an app its configuration, logger and telemetry. */
@Module({})
export class PlatformModule {
  /** Tests use it to run an app's modules with their own parts. */
  static with(parts: { config: unknown; logger: Logger; telemetry: Telemetry }): DynamicModule {
    const { config, logger, telemetry } = parts;
    return {
      module: PlatformModule,
      global: true,
      providers: [
        { provide: APP_CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: TELEMETRY, useValue: telemetry },
        TelemetryCloser,
      ],
      exports: [APP_CONFIG, LOGGER, TELEMETRY],
    };
  }
}
