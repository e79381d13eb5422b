// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { JunctiondError } from '../../junctiond.error.js';
import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.addUproc)
export class AddUprocHandler {
  constructor(private readonly instances: InstanceService) {}

  handle(request: instanceV1.AddUprocRequest): Promise<instanceV1.AddUprocResponse> {
    const { spec } = this.instances.get(request.id);
    throw new JunctiondError(
      'unimplemented',
      `instance ${spec.id} runs one uProc: the Junction kernel of this release cannot hold another`,
    );
  }
}
