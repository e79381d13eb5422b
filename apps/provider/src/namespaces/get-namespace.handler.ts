// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { namespaceOrDefault } from '../domain/function-key.js';
import { NamespaceService } from './namespace.service.js';

@RpcHandler(functionV1.NamespaceServiceService.getNamespace)
export class GetNamespaceHandler {
  constructor(private readonly namespaces: NamespaceService) {}

  async handle({ name }: functionV1.GetNamespaceRequest): Promise<functionV1.GetNamespaceResponse> {
    const record = await this.namespaces.get(namespaceOrDefault(name));
    return { namespace: functionV1.Namespace.create(record) };
  }
}
