// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toMessage } from '../instance.mapper.js';
import { InstanceService } from '../instance.service.js';
import { UsageService } from '../usage.service.js';

@RpcHandler(instanceV1.InstanceServiceService.listInstances)
export class ListInstancesHandler {
  constructor(
    private readonly instances: InstanceService,
    private readonly usages: UsageService,
  ) {}

  async handle(request: instanceV1.ListInstancesRequest): Promise<instanceV1.ListInstancesResponse> {
    const instances = this.instances.list(request.labels);
    const usages = request.usage ? await Promise.all(instances.map((each) => this.usages.usageOf(each))) : [];
    return { instances: instances.map((instance, index) => toMessage(instance, usages[index])) };
  }
}
