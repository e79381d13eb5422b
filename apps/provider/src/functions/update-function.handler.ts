// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import type { RpcCall } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';
import { FunctionService } from './function.service.js';

@RpcHandler(functionV1.FunctionServiceService.updateFunction)
export class UpdateFunctionHandler {
  constructor(private readonly functions: FunctionService) {}

  async handle({ spec }: functionV1.UpdateFunctionRequest, call: RpcCall): Promise<functionV1.UpdateFunctionResponse> {
    await this.functions.update(spec, call);
    return {};
  }
}
