// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { parseBody } from '../http/parse-body.js';
import { SECRETS, type SecretsClient } from '../provider/provider-clients.js';
import { secretBody } from './secret-body.js';

/** POST /system/secrets: creates a secret; 409 when it exists. */
@Controller()
export class CreateSecretHandler {
  constructor(@Inject(SECRETS) private readonly secrets: SecretsClient) {}

  @Post('/system/secrets')
  @HttpCode(202)
  async handle(@Body() body: Buffer | undefined): Promise<void> {
    await this.secrets.createSecret(parseBody(secretBody, body));
  }
}
