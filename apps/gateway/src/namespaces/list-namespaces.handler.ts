// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject } from '@nestjs/common';
import { NAMESPACES, type NamespacesClient } from '../provider/provider-clients.js';

/** GET /system/namespaces: the names of all namespaces, the default one first. */
@Controller()
export class ListNamespacesHandler {
  constructor(@Inject(NAMESPACES) private readonly namespaces: NamespacesClient) {}

  @Get('/system/namespaces')
  async handle(): Promise<string[]> {
    const answer = await this.namespaces.listNamespaces({});
    return answer.namespaces.map(({ name }) => name);
  }
}
