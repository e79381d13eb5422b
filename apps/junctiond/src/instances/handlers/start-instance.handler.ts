// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toMessage } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.startInstance)
export class StartInstanceHandler {
  constructor(private readonly instances: InstanceService) {}

  handle(request: instanceV1.StartInstanceRequest): Promise<instanceV1.StartInstanceResponse> {
    return Promise.resolve({ instance: toMessage(this.instances.start(request.id)) });
  }
}
