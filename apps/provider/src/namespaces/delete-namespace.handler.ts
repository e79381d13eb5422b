// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { NamespaceService } from './namespace.service.js';

@RpcHandler(functionV1.NamespaceServiceService.deleteNamespace)
export class DeleteNamespaceHandler {
  constructor(private readonly namespaces: NamespaceService) {}

  async handle({ name }: functionV1.DeleteNamespaceRequest): Promise<functionV1.DeleteNamespaceResponse> {
    await this.namespaces.delete(name);
    return {};
  }
}
