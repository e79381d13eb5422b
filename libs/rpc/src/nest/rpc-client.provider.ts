// SPDX-License-Identifier: Apache-2.0
import type { FactoryProvider } from '@nestjs/common';
import type { Address } from '@junctiond/config';
import { createClient, type RpcClient } from '../client.js';
import { readRpcCredentials } from '../credentials.js';
import type { Service } from '../method.js';
import { APP_CONFIG } from './tokens.js';

type RpcConfig = Parameters<typeof readRpcCredentials>[0];

/** Provides a typed client of `service` under `token`, closed with the app. `C` is the app's configuration. */
export function provideRpcClient<S extends Service, C extends RpcConfig>(
  token: symbol,
  service: S,
  options: { readonly address: (config: C) => Address; readonly deadlineMs: number },
): FactoryProvider<RpcClient<S>> {
  return {
    provide: token,
    inject: [APP_CONFIG],
    useFactory: (config: C) => {
      const client = createClient(service, options.address(config), {
        credentials: readRpcCredentials(config),
        deadlineMs: options.deadlineMs,
      });
      // Nest calls the hook on whatever a factory made.
      return Object.assign(client, { onApplicationShutdown: () => client.close() });
    },
  };
}
