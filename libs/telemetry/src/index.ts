// SPDX-License-Identifier: Apache-2.0
export { createLogger, type Logger, type LogLevel } from './logger.js';
export type { AsyncMetricSource, HistogramSample, MetricSource, Sample, SourceMetric } from './metric-source.js';
export { startTelemetry, type Health, type Telemetry, type TelemetryOptions } from './telemetry.js';
