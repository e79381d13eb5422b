// SPDX-License-Identifier: Apache-2.0
// Loaded only when traces go somewhere: the tracing SDK costs several megabytes.
import { setTimeout as sleep } from 'node:timers/promises';
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** Chosen: enough for a collector that answers. */
const longestFlushMs = 1_000;

/** Sends the process' spans to an OTLP/HTTP collector (`<endpoint>/v1/traces`). */
export function startTraces(
  resource: Resource,
  endpoint: string,
  onError: (error: unknown) => void,
): { close(): Promise<void> } {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const provider = new TracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return {
    close: async () => {
      // An app that is told to stop has seconds; a collector that is away must not take them.
      await Promise.race([provider.shutdown().catch(onError), sleep(longestFlushMs, undefined, { ref: false })]);
      trace.disable();
      propagation.disable();
      context.disable();
    },
  };
}
