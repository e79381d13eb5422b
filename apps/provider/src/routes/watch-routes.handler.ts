// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import type { RpcCall } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';
import { ProviderError } from '../domain/provider.error.js';
import { GatewayRegistry } from './gateway-registry.js';
import { RouteTable } from './route-table.js';

@RpcHandler(functionV1.RouteServiceService.watchRoutes)
export class WatchRoutesHandler {
  constructor(
    private readonly routes: RouteTable,
    private readonly gateways: GatewayRegistry,
  ) {}

  async *handle(
    { gatewayId }: functionV1.WatchRoutesRequest,
    { signal }: RpcCall,
  ): AsyncGenerator<functionV1.RouteUpdate> {
    if (gatewayId === '') {
      throw new ProviderError('invalid_argument', 'gateway_id is missing');
    }
    const subscription = this.routes.subscribe();
    const disconnect = this.gateways.connect(gatewayId);
    try {
      for (;;) {
        yield await subscription.next(signal);
      }
    } finally {
      disconnect();
      subscription.close();
    }
  }
}
