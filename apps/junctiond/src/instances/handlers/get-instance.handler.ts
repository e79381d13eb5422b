// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toMessage } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';
import { UsageService } from '../usage.service.js';

@RpcHandler(instanceV1.InstanceServiceService.getInstance)
export class GetInstanceHandler {
  constructor(
    private readonly instances: InstanceService,
    private readonly usages: UsageService,
  ) {}

  async handle(request: instanceV1.GetInstanceRequest): Promise<instanceV1.GetInstanceResponse> {
    const instance = this.instances.get(request.id);
    const usage = request.usage ? await this.usages.usageOf(instance) : undefined;
    return { instance: toMessage(instance, usage) };
  }
}
