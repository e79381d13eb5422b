// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, Delete, HttpCode, Inject, Query } from '@nestjs/common';
import { namespaceQuery } from '../functions/namespace-query.js';
import { parseBody, parseFields } from '../http/parse-body.js';
import { SECRETS, type SecretsClient } from '../provider/provider-clients.js';
import { namespaceOf, secretName } from './secret-body.js';

/** DELETE /system/secrets: removes a secret. The namespace comes in the body or the query. */
@Controller()
export class DeleteSecretHandler {
  constructor(@Inject(SECRETS) private readonly secrets: SecretsClient) {}

  @Delete('/system/secrets')
  @HttpCode(202)
  async handle(@Body() body: Buffer | undefined, @Query() query: unknown): Promise<void> {
    const secret = parseBody(secretName, body);
    const { namespace } = parseFields(namespaceQuery, query, 'query');
    await this.secrets.deleteSecret({ name: secret.name, namespace: namespaceOf(secret, namespace) });
  }
}
