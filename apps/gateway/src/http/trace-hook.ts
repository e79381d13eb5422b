// SPDX-License-Identifier: Apache-2.0
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';

const tracer = trace.getTracer('@junctiond/gateway');

/**
 * Handles each API request in a span that continues the client's trace; calls to the provider carry it on. Without a
 * collector the API's no-op objects make this nearly free.
 */
export function traceHook(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const parent = propagation.extract(context.active(), request.headers);
  const name = `${request.method} ${request.routeOptions.url ?? 'unknown'}`;
  tracer.startActiveSpan(name, { kind: SpanKind.SERVER }, parent, (span) => {
    reply.raw.once('close', () => {
      span.setAttribute('http.response.status_code', reply.raw.statusCode);
      if (reply.raw.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    });
    done();
  });
}
