// SPDX-License-Identifier: Apache-2.0
import { Controller, Delete, HttpCode, Inject, Param } from '@nestjs/common';
import { NAMESPACES, type NamespacesClient } from '../provider/provider-clients.js';

/** DELETE /system/namespace/NS: removes an empty namespace. */
@Controller()
export class DeleteNamespaceHandler {
  constructor(@Inject(NAMESPACES) private readonly namespaces: NamespacesClient) {}

  @Delete('/system/namespace/:name')
  @HttpCode(202)
  async handle(@Param('name') name: string): Promise<void> {
    await this.namespaces.deleteNamespace({ name });
  }
}
