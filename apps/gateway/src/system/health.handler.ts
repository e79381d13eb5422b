// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject } from '@nestjs/common';
import { HttpError } from '../http/http-error.js';
import { INFO, type InfoClient } from '../provider/provider-clients.js';

/** Chosen: a probe waits no longer than Kubernetes' default period would allow several times. */
const providerDeadlineMs = 2_000;

/** GET /healthz: 200 when the provider answers, else 503. */
@Controller()
export class HealthHandler {
  constructor(@Inject(INFO) private readonly info: InfoClient) {}

  @Get('/healthz')
  async handle(): Promise<string> {
    try {
      await this.info.getInfo({}, { deadlineMs: providerDeadlineMs });
      return 'OK';
    } catch (error) {
      throw new HttpError(
        503,
        `gateway: the provider does not answer: ${Error.isError(error) ? error.message : 'unknown'}`,
      );
    }
  }
}
