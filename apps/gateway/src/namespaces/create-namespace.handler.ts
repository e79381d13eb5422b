// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { parseBody } from '../http/parse-body.js';
import { NAMESPACES, type NamespacesClient } from '../provider/provider-clients.js';
import { namespaceBody, toNamespace } from './namespace-body.js';

/** POST /system/namespace/: creates a namespace; 409 when it exists. */
@Controller()
export class CreateNamespaceHandler {
  constructor(@Inject(NAMESPACES) private readonly namespaces: NamespacesClient) {}

  @Post('/system/namespace')
  @HttpCode(201)
  async handle(@Body() body: Buffer | undefined): Promise<void> {
    await this.namespaces.createNamespace({ namespace: toNamespace(parseBody(namespaceBody, body)) });
  }
}
