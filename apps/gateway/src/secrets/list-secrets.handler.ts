// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject, Query } from '@nestjs/common';
import { namespaceQuery } from '../functions/namespace-query.js';
import { parseFields } from '../http/parse-body.js';
import { SECRETS, type SecretsClient } from '../provider/provider-clients.js';
import { namespaceOf } from './secret-body.js';

/** GET /system/secrets: the names of a namespace's secrets, never their contents. */
@Controller()
export class ListSecretsHandler {
  constructor(@Inject(SECRETS) private readonly secrets: SecretsClient) {}

  @Get('/system/secrets')
  async handle(@Query() query: unknown): Promise<{ name: string; namespace: string }[]> {
    const namespace = namespaceOf(parseFields(namespaceQuery, query, 'query'));
    const answer = await this.secrets.listSecrets({ namespace });
    return answer.secrets.map((secret) => ({ name: secret.name, namespace: secret.namespace }));
  }
}
