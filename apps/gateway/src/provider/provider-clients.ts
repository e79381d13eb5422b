// SPDX-License-Identifier: Apache-2.0
import type { Provider } from '@nestjs/common';
import { functionV1 } from '@junctiond/contracts';
import type { RpcClient, Service } from '@junctiond/rpc';
import { provideRpcClient } from '@junctiond/rpc/nest';
import type { GatewayConfig } from '../config.js';

/** Functions: deploy, scale, describe, logs, first replicas. */
export type FunctionsClient = RpcClient<typeof functionV1.FunctionServiceService>;

/** Token of the FunctionsClient. */
export const FUNCTIONS = Symbol('FUNCTIONS');

/** Secrets. */
export type SecretsClient = RpcClient<typeof functionV1.SecretServiceService>;

/** Token of the SecretsClient. */
export const SECRETS = Symbol('SECRETS');

/** Namespaces. */
export type NamespacesClient = RpcClient<typeof functionV1.NamespaceServiceService>;

/** Token of the NamespacesClient. */
export const NAMESPACES = Symbol('NAMESPACES');

/** Routes: the watch and the reports back. */
export type RoutesClient = RpcClient<typeof functionV1.RouteServiceService>;

/** Token of the RoutesClient. */
export const ROUTES = Symbol('ROUTES');

/** What the provider is; also the sign that it answers. */
export type InfoClient = RpcClient<typeof functionV1.InfoServiceService>;

/** Token of the InfoClient. */
export const INFO = Symbol('INFO');

const client = (token: symbol, service: Service, deadlineMs: number): Provider =>
  provideRpcClient(token, service, { address: (config: GatewayConfig) => config.providerAddress, deadlineMs });

/** All clients of the provider. */
export function providerClients({ providerTimeoutMs }: GatewayConfig): Provider[] {
  return [
    client(FUNCTIONS, functionV1.FunctionServiceService, providerTimeoutMs),
    client(SECRETS, functionV1.SecretServiceService, providerTimeoutMs),
    client(NAMESPACES, functionV1.NamespaceServiceService, providerTimeoutMs),
    client(ROUTES, functionV1.RouteServiceService, providerTimeoutMs),
    client(INFO, functionV1.InfoServiceService, providerTimeoutMs),
  ];
}
