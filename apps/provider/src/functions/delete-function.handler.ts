// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { functionKey } from '../domain/function-key.js';
import { FunctionService } from './function.service.js';

@RpcHandler(functionV1.FunctionServiceService.deleteFunction)
export class DeleteFunctionHandler {
  constructor(private readonly functions: FunctionService) {}

  async handle(request: functionV1.DeleteFunctionRequest): Promise<functionV1.DeleteFunctionResponse> {
    await this.functions.delete(functionKey(request));
    return {};
  }
}
