// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { hasKind } from '@junctiond/rpc';
import { parseFunctionName } from '../functions/function-name.js';
import { HttpError } from '../http/http-error.js';
import { parseBody } from '../http/parse-body.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { alertMessage, toFunctionAlerts, type FunctionAlert } from './alert-message.js';
import { replicasAfterAlert, toScaleBounds } from './alert-scaling.js';

/** POST /system/alert: AlertManager's messages scale functions. */
@Controller()
export class AlertHandler {
  constructor(@Inject(FUNCTIONS) private readonly functions: FunctionsClient) {}

  @Post('/system/alert')
  @HttpCode(200)
  async handle(@Body() body: Buffer | undefined): Promise<void> {
    const alerts = toFunctionAlerts(parseBody(alertMessage, body));
    const unknown: string[] = [];
    for (const alert of alerts) {
      if (!(await this.#scale(alert)))
        unknown.push(`function_name: there is no function ${JSON.stringify(alert.functionName)}`);
    }
    if (unknown.length > 0) throw new HttpError(400, unknown.join('\n'));
  }

  /** False when there is no such function: the other alerts of the message count all the same. */
  async #scale({ functionName, isFiring }: FunctionAlert): Promise<boolean> {
    const name = parseFunctionName(functionName);
    try {
      const { function: fn } = await this.functions.getFunction({ ...name, usage: false });
      if (fn === undefined) return false;
      const bounds = toScaleBounds(fn.spec?.labels?.entries ?? {});
      const replicas = replicasAfterAlert(fn.replicas, isFiring, bounds);
      if (replicas !== fn.replicas) await this.functions.scaleFunction({ ...name, replicas });
      return true;
    } catch (error) {
      if (hasKind(error) && error.kind === 'not_found') return false;
      throw error;
    }
  }
}
