// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import type { RpcCall } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';
import { LogReader } from './log-reader.js';

@RpcHandler(functionV1.FunctionServiceService.readLogs)
export class ReadLogsHandler {
  constructor(private readonly logs: LogReader) {}

  handle(request: functionV1.ReadLogsRequest, { signal }: RpcCall): AsyncGenerator<functionV1.FunctionLogLine> {
    return this.logs.read(request, signal);
  }
}
