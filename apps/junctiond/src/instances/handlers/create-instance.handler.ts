// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toMessage, toRequest } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.createInstance)
export class CreateInstanceHandler {
  constructor(private readonly instances: InstanceService) {}

  async handle(request: instanceV1.CreateInstanceRequest): Promise<instanceV1.CreateInstanceResponse> {
    const instance = await this.instances.create(toRequest(request.spec), { leaveStopped: request.leaveStopped });
    return { instance: toMessage(instance) };
  }
}
