// SPDX-License-Identifier: Apache-2.0
import { Catch, Inject, NotFoundException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { APP_CONFIG, LOGGER } from '@junctiond/rpc/nest';
import type { Logger } from '@junctiond/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayConfig } from '../config.js';
import { answerFor } from './error-answer.js';
import { HttpError } from './http-error.js';
import { RouteMethods } from './route-methods.js';

/** Makes an answer of everything that a request's handling throws. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    @Inject(APP_CONFIG) private readonly config: GatewayConfig,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly routes: RouteMethods,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const answer = this.#unknownRoute(error, request) ?? answerFor(error, this.config) ?? this.#defect(error, request);
    void reply
      .code(answer.status)
      .headers({ 'Content-Type': 'text/plain; charset=utf-8', ...answer.headers })
      .send(answer.message);
  }

  /** No handler was found: either the path is unknown or it has other methods. */
  #unknownRoute(error: unknown, request: FastifyRequest): HttpError | undefined {
    if (!(error instanceof NotFoundException)) return undefined;
    const [path = ''] = request.url.split('?');
    const methods = this.routes.methodsOf(path);
    if (methods.length === 0) return new HttpError(404, `gateway: there is nothing at ${path}`);
    const allowed = methods.join(', ');
    return new HttpError(405, `gateway: ${request.method} is not allowed at ${path}, only ${allowed}`, {
      Allow: allowed,
    });
  }

  #defect(error: unknown, request: FastifyRequest): HttpError {
    this.log.error({ error, method: request.method, url: request.url }, 'an API request failed unexpectedly');
    return new HttpError(500, 'gateway: internal error, see the log of the gateway');
  }
}
