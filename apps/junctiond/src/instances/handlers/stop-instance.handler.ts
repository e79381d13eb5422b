// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toMessage } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.stopInstance)
export class StopInstanceHandler {
  constructor(private readonly instances: InstanceService) {}

  async handle(request: instanceV1.StopInstanceRequest): Promise<instanceV1.StopInstanceResponse> {
    return { instance: toMessage(await this.instances.stop(request.id, request.gracePeriodMs)) };
  }
}
