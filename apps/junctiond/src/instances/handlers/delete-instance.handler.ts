// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.deleteInstance)
export class DeleteInstanceHandler {
  constructor(private readonly instances: InstanceService) {}

  async handle(request: instanceV1.DeleteInstanceRequest): Promise<instanceV1.DeleteInstanceResponse> {
    await this.instances.delete(request.id, { force: request.force, graceMs: request.gracePeriodMs });
    return {};
  }
}
