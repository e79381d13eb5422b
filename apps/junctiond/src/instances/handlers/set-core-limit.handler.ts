// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toMessage } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.setCoreLimit)
export class SetCoreLimitHandler {
  constructor(private readonly instances: InstanceService) {}

  handle(request: instanceV1.SetCoreLimitRequest): Promise<instanceV1.SetCoreLimitResponse> {
    return Promise.resolve({ instance: toMessage(this.instances.setCoreLimit(request.id, request.coreLimit)) });
  }
}
