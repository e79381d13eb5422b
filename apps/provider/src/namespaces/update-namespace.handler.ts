// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { NamespaceService } from './namespace.service.js';

@RpcHandler(functionV1.NamespaceServiceService.updateNamespace)
export class UpdateNamespaceHandler {
  constructor(private readonly namespaces: NamespaceService) {}

  async handle({ namespace }: functionV1.UpdateNamespaceRequest): Promise<functionV1.UpdateNamespaceResponse> {
    await this.namespaces.update(namespace);
    return {};
  }
}
