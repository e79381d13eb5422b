// SPDX-License-Identifier: Apache-2.0
import { trace, type Meter, type Tracer } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { toMetricProducer, type AsyncMetricSource, type MetricSource } from './metric-source.js';
import { startMetricsServer } from './metrics-server.js';
import { PrometheusReader } from './prometheus-reader.js';
import { processMetrics } from './process-metrics.js';

/** Whether an app can do its work. */
export interface Health {
  readonly isHealthy: boolean;
  /** One line for people. */
  readonly message: string;
}

/** What `startTelemetry` needs. */
export interface TelemetryOptions {
  readonly app: string;
  readonly version: string;
  readonly metricsHost: string;
  /** 0 takes a free one; see `Telemetry.port`. */
  readonly metricsPort: number;
  /** OTLP/HTTP collector; without it no tracing code is even loaded. */
  readonly otlpEndpoint?: string;
  /** Counters that keep their name although it does not end in `_total`, for the sake of old dashboards. */
  readonly exactCounterNames?: readonly string[];
  /** Unexpected failures of a scrape; its other series are answered all the same. */
  readonly onError: (error: unknown) => void;
}

/** Metrics and traces of one app. */
export interface Telemetry {
  /** Where /metrics and /healthz listen. */
  readonly port: number;
  readonly meter: Meter;
  /** A no-op unless traces go somewhere. */
  readonly tracer: Tracer;
  /** Adds metrics that are counted elsewhere. */
  addSource(source: MetricSource | AsyncMetricSource): void;
  /** What /healthz answers: 200 or 503. Healthy until the first call; `runApp` sets "starting" before the app's modules run. */
  setHealth(health: () => Health | Promise<Health>): void;
  /** The text of /metrics, now. */
  scrape(): Promise<string>;
  /** Sends what is left of the traces and stops listening. */
  close(): Promise<void>;
}

/** Starts counting and serves `/metrics` and `/healthz`. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { app, version, onError } = options;
  const sources: (MetricSource | AsyncMetricSource)[] = [processMetrics];
  const reader = new PrometheusReader([toMetricProducer(app, sources, Date.now())], options.exactCounterNames ?? []);
  const resource = resourceFromAttributes({ 'service.name': app, 'service.version': version });
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  const traces =
    options.otlpEndpoint === undefined
      ? undefined
      : (await import('./traces.js')).startTraces(resource, options.otlpEndpoint, onError);
  const scrape = async (): Promise<string> => {
    const { text, errors } = await reader.read();
    errors.forEach(onError);
    return text;
  };
  let health: () => Health | Promise<Health> = () => ({ isHealthy: true, message: 'ok' });
  const server = await startMetricsServer(
    { host: options.metricsHost, port: options.metricsPort },
    { scrape, health: async () => await health(), onError },
  );
  return {
    port: server.port,
    meter: meterProvider.getMeter(app, version),
    tracer: trace.getTracer(app, version),
    addSource: (source) => void sources.push(source),
    setHealth: (next) => void (health = next),
    scrape,
    close: async () => {
      await server.close();
      await traces?.close();
      await meterProvider.shutdown();
    },
  };
}
