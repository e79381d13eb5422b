// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { NamespaceService } from './namespace.service.js';

@RpcHandler(functionV1.NamespaceServiceService.listNamespaces)
export class ListNamespacesHandler {
  constructor(private readonly namespaces: NamespaceService) {}

  async handle(): Promise<functionV1.ListNamespacesResponse> {
    const all = await this.namespaces.list();
    return { namespaces: all.map((record) => functionV1.Namespace.create(record)) };
  }
}
