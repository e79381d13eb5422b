// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Param, Put } from '@nestjs/common';
import { parseBody } from '../http/parse-body.js';
import { NAMESPACES, type NamespacesClient } from '../provider/provider-clients.js';
import { namespaceBody, toNamespace } from './namespace-body.js';

/** PUT /system/namespace/NS: replaces a namespace's labels and annotations. */
@Controller()
export class UpdateNamespaceHandler {
  constructor(@Inject(NAMESPACES) private readonly namespaces: NamespacesClient) {}

  @Put('/system/namespace/:name')
  @HttpCode(202)
  async handle(@Param('name') name: string, @Body() body: Buffer | undefined): Promise<void> {
    await this.namespaces.updateNamespace({ namespace: toNamespace(parseBody(namespaceBody, body), name) });
  }
}
