// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import type { RpcCall } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toEventMessage } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.watchInstances)
export class WatchInstancesHandler {
  constructor(private readonly instances: InstanceService) {}

  async *handle(request: instanceV1.WatchInstancesRequest, call: RpcCall): AsyncGenerator<instanceV1.InstanceEvent> {
    for await (const change of this.instances.watch(request.labels, call.signal)) {
      yield toEventMessage(change);
    }
  }
}
