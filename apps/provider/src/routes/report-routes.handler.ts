// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { ProviderError } from '../domain/provider.error.js';
import { GatewayRegistry } from './gateway-registry.js';

@RpcHandler(functionV1.RouteServiceService.reportRoutes)
export class ReportRoutesHandler {
  constructor(private readonly gateways: GatewayRegistry) {}

  handle(request: functionV1.ReportRoutesRequest): Promise<functionV1.ReportRoutesResponse> {
    const { gatewayId, appliedVersion, busyReplicas } = request;
    if (!this.gateways.report(gatewayId, appliedVersion, busyReplicas)) {
      throw new ProviderError('failed_precondition', `gateway ${gatewayId} has no WatchRoutes stream open`);
    }
    return Promise.resolve({});
  }
}
