// SPDX-License-Identifier: Apache-2.0
// W3C trace context over gRPC metadata. Without a tracer (no OTLP endpoint) the API's no-op objects make this nearly free.
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Metadata } from '@grpc/grpc-js';

const tracer = trace.getTracer('@junctiond/rpc');

/** Runs a server's work in a span that continues the caller's trace. */
export function inServerSpan<T>(metadata: Metadata, path: string, work: () => Promise<T>): Promise<T> {
  const parent = propagation.extract(context.active(), metadata, {
    get: (carrier, key) => carrier.get(key).map(String),
    keys: (carrier) => Object.keys(carrier.getMap()),
  });
  return tracer.startActiveSpan(path, { kind: SpanKind.SERVER }, parent, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Adds the current trace to a call's metadata. */
export function injectTrace(metadata: Metadata): void {
  propagation.inject(context.active(), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
}
