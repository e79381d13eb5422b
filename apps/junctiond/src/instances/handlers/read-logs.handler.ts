// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import type { RpcCall } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';

import { InstanceLogs } from '../../logs/instance-logs.js';
import { toLogMessage } from '../instance.mapper.js';

@RpcHandler(instanceV1.InstanceServiceService.readLogs)
export class ReadLogsHandler {
  constructor(private readonly logs: InstanceLogs) {}

  async *handle(request: instanceV1.ReadLogsRequest, call: RpcCall): AsyncGenerator<instanceV1.LogLine> {
    const query = {
      tailLines: request.tailLines,
      isFollowing: request.follow,
      ...(request.since === undefined ? {} : { sinceMs: request.since.getTime() }),
    };
    for await (const line of this.logs.read(request.id, query, call.signal)) {
      yield toLogMessage(request.id, line);
    }
  }
}
