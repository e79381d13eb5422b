// SPDX-License-Identifier: Apache-2.0
import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, LOGGER } from '@junctiond/rpc/nest';
import type { Logger } from '@junctiond/telemetry';
import type { GatewayConfig } from '../config.js';
import { parseFunctionName } from '../functions/function-name.js';
import { answerFor } from '../http/error-answer.js';
import { IngressHost } from '../ingress/ingress-host.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';

/**
 * Asks the provider for the first replica of a function for which requests wait. The replica comes as a new route; only
 * when the request for it fails are the waiting ones answered here.
 */
@Injectable()
export class ColdStarts {
  constructor(
    @Inject(FUNCTIONS) private readonly functions: FunctionsClient,
    @Inject(APP_CONFIG) private readonly config: GatewayConfig,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly ingress: IngressHost,
  ) {}

  /** Called by the ingress, once a function until its route changes. */
  async begin(functionName: string): Promise<void> {
    try {
      // A provider that restarts is back before the deadline, and the call is idempotent.
      await this.functions.requestReplica(parseFunctionName(functionName), {
        deadlineMs: this.config.providerTimeoutMs,
        waitForReady: true,
      });
    } catch (error) {
      const { status, message } = answerFor(error, this.config) ?? { status: 500, message: String(error) };
      this.log.warn({ error, functionName }, 'no replica for waiting requests');
      this.ingress.failHeld(functionName, status === 504 ? 504 : 503, `${functionName} cannot be started: ${message}`);
    }
  }
}
