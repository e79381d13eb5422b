// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { functionKey } from '../domain/function-key.js';
import { FunctionService } from './function.service.js';

@RpcHandler(functionV1.FunctionServiceService.scaleFunction)
export class ScaleFunctionHandler {
  constructor(private readonly functions: FunctionService) {}

  async handle(request: functionV1.ScaleFunctionRequest): Promise<functionV1.ScaleFunctionResponse> {
    await this.functions.scale(functionKey(request), request.replicas);
    return {};
  }
}
