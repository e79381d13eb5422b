// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import type { RpcCall } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';

import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.addUproc)
export class AddUprocHandler {
  constructor(private readonly instances: InstanceService) {}

  async handle(request: instanceV1.AddUprocRequest, call: RpcCall): Promise<instanceV1.AddUprocResponse> {
    const uproc = request.uproc ?? { args: [], env: {}, cwd: '', user: '' };
    return { pid: await this.instances.addUproc(request.id, uproc, call.signal) };
  }
}
