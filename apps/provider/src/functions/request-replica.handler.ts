// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { functionKey } from '../domain/function-key.js';
import { FunctionService } from './function.service.js';

@RpcHandler(functionV1.FunctionServiceService.requestReplica)
export class RequestReplicaHandler {
  constructor(private readonly functions: FunctionService) {}

  async handle(request: functionV1.RequestReplicaRequest): Promise<functionV1.RequestReplicaResponse> {
    await this.functions.requestReplica(functionKey(request));
    return {};
  }
}
