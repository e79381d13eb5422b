// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Put } from '@nestjs/common';
import { parseBody } from '../http/parse-body.js';
import { SECRETS, type SecretsClient } from '../provider/provider-clients.js';
import { secretBody } from './secret-body.js';

/** PUT /system/secrets: replaces the content of a secret. */
@Controller()
export class UpdateSecretHandler {
  constructor(@Inject(SECRETS) private readonly secrets: SecretsClient) {}

  @Put('/system/secrets')
  @HttpCode(202)
  async handle(@Body() body: Buffer | undefined): Promise<void> {
    await this.secrets.updateSecret(parseBody(secretBody, body));
  }
}
