// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Put } from '@nestjs/common';
import { APP_CONFIG } from '@junctiond/rpc/nest';
import type { GatewayConfig } from '../config.js';
import { parseBody } from '../http/parse-body.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { functionDeployment, toFunctionSpec } from './function-deployment.js';

/** PUT /system/functions: updates a function; 404 tells clients to POST. */
@Controller()
export class UpdateFunctionHandler {
  constructor(
    @Inject(FUNCTIONS) private readonly functions: FunctionsClient,
    @Inject(APP_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Put('/system/functions')
  @HttpCode(202)
  async handle(@Body() body: Buffer | undefined): Promise<void> {
    const spec = toFunctionSpec(parseBody(functionDeployment, body));
    await this.functions.updateFunction({ spec }, { deadlineMs: this.config.deployTimeoutMs });
  }
}
