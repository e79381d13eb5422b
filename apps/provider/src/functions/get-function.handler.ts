// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { functionKey } from '../domain/function-key.js';
import { FunctionReader } from './function-reader.js';

@RpcHandler(functionV1.FunctionServiceService.getFunction)
export class GetFunctionHandler {
  constructor(private readonly functions: FunctionReader) {}

  async handle(request: functionV1.GetFunctionRequest): Promise<functionV1.GetFunctionResponse> {
    return { function: await this.functions.get(functionKey(request), request.usage) };
  }
}
