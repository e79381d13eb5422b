// SPDX-License-Identifier: Apache-2.0
import type { Provider } from '@nestjs/common';
import { functionV1 } from '@junctiond/contracts';
import type { RpcClient, Service } from '@junctiond/rpc';
import { provideRpcClient } from '@junctiond/rpc/nest';
import type { GatewayConfig } from '../config.js';

// Tokens of the provider's services and the types of their clients.
export const FUNCTIONS = Symbol('FUNCTIONS');
export const SECRETS = Symbol('SECRETS');
export const NAMESPACES = Symbol('NAMESPACES');
export const ROUTES = Symbol('ROUTES');
export const INFO = Symbol('INFO');

export type FunctionsClient = RpcClient<typeof functionV1.FunctionServiceService>;
export type SecretsClient = RpcClient<typeof functionV1.SecretServiceService>;
export type NamespacesClient = RpcClient<typeof functionV1.NamespaceServiceService>;
export type RoutesClient = RpcClient<typeof functionV1.RouteServiceService>;
export type InfoClient = RpcClient<typeof functionV1.InfoServiceService>;

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
