// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { InstanceService } from '../instance.service.js';

@RpcHandler(instanceV1.InstanceServiceService.updateSecrets)
export class UpdateSecretsHandler {
  constructor(private readonly instances: InstanceService) {}

  handle(request: instanceV1.UpdateSecretsRequest): Promise<instanceV1.UpdateSecretsResponse> {
    this.instances.updateSecrets(request.id, request.secrets);
    return Promise.resolve({});
  }
}
