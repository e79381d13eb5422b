// SPDX-License-Identifier: Apache-2.0
// An app for run-app.spec.ts: says what its life cycle does; JUNCTION_TINY_FAULT chooses how it goes wrong.
import { Inject, Injectable, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { choice, defineConfig, integer, rpcFields, telemetryFields, type ConfigOf } from '@junctiond/config';
import { APP_CONFIG, runApp } from './index.js';

const tinyConfig = defineConfig({
  name: 'tiny',
  fields: {
    ...telemetryFields,
    ...rpcFields,
    fault: choice({
      env: 'JUNCTION_TINY_FAULT',
      of: ['none', 'start', 'later'],
      default: 'none',
      doc: 'What goes wrong.',
    }),
    count: integer({ env: 'JUNCTION_TINY_COUNT', default: 1, min: 1, doc: 'A number.' }),
  },
});

@Injectable()
class TinyService implements OnModuleInit, OnApplicationShutdown {
  constructor(@Inject(APP_CONFIG) private readonly config: ConfigOf<typeof tinyConfig>) {}

  onModuleInit(): void {
    if (this.config.fault === 'start') throw new Error('the disk is full');
    if (this.config.fault === 'later') {
      setImmediate(() => {
        throw new Error('nobody caught this');
      });
    }
  }

  onApplicationShutdown(signal?: string): void {
    process.stdout.write(`${JSON.stringify({ msg: 'bye', signal })}\n`);
  }
}

@Module({ providers: [TinyService] })
class TinyModule {}

await runApp({ schema: tinyConfig, metricsPort: () => 0, root: () => TinyModule });
