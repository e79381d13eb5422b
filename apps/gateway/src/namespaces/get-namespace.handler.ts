// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject, Param } from '@nestjs/common';
import { HttpError } from '../http/http-error.js';
import { NAMESPACES, type NamespacesClient } from '../provider/provider-clients.js';
import type { NamespaceView } from './namespace-body.js';

/** GET /system/namespace/NS: one namespace. */
@Controller()
export class GetNamespaceHandler {
  constructor(@Inject(NAMESPACES) private readonly namespaces: NamespacesClient) {}

  @Get('/system/namespace/:name')
  async handle(@Param('name') name: string): Promise<NamespaceView> {
    const { namespace } = await this.namespaces.getNamespace({ name });
    if (namespace === undefined) throw new HttpError(404, `namespace ${name} does not exist`);
    return { name: namespace.name, labels: namespace.labels, annotations: namespace.annotations };
  }
}
