// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { FunctionReader } from './function-reader.js';

@RpcHandler(functionV1.FunctionServiceService.listFunctions)
export class ListFunctionsHandler {
  constructor(private readonly functions: FunctionReader) {}

  async handle(request: functionV1.ListFunctionsRequest): Promise<functionV1.ListFunctionsResponse> {
    return Promise.resolve({ functions: this.functions.list(request.namespace, request.allNamespaces) });
  }
}
