// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { NamespaceService } from './namespace.service.js';

@RpcHandler(functionV1.NamespaceServiceService.createNamespace)
export class CreateNamespaceHandler {
  constructor(private readonly namespaces: NamespaceService) {}

  async handle({ namespace }: functionV1.CreateNamespaceRequest): Promise<functionV1.CreateNamespaceResponse> {
    await this.namespaces.create(namespace);
    return {};
  }
}
