// SPDX-License-Identifier: Apache-2.0
// Metrics that something else counts (native code, say) and that are only passed on when they are asked for.
import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type MetricData,
  type MetricDescriptor,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import { resourceFromAttributes } from '@opentelemetry/resources';

/** One series of a counter or gauge. */
export interface Sample {
  readonly labels: Attributes;
  readonly value: number;
}

/** One series of a histogram. */
export interface HistogramSample {
  readonly labels: Attributes;
  /** Observations a bucket, not cumulative: one for each bound, then those above the last. */
  readonly buckets: readonly number[];
  readonly sum: number;
}

/** A metric with all its series, as counted so far. */
export type SourceMetric =
  | {
      readonly kind: 'counter' | 'gauge';
      readonly name: string;
      readonly help: string;
      readonly samples: readonly Sample[];
    }
  | {
      readonly kind: 'histogram';
      readonly name: string;
      readonly help: string;
      /** Upper bounds, ascending, without +Inf. */
      readonly bounds: readonly number[];
      readonly samples: readonly HistogramSample[];
    };

/** Answers the metrics of now; called once a scrape. */
export type MetricSource = () => readonly SourceMetric[];

/** The same where the counts are in another process. It must settle soon: the scrape waits for it. */
export type AsyncMetricSource = () => Promise<readonly SourceMetric[]>;

/** Makes a source known to the OpenTelemetry SDK. `sinceMs` (Unix) is when counting began. */
export function toMetricProducer(
  scope: string,
  sources: Iterable<MetricSource | AsyncMetricSource>,
  sinceMs: number,
): MetricProducer {
  return {
    collect: async (): Promise<CollectionResult> => {
      const startTime: HrTime = [Math.floor(sinceMs / 1_000), (sinceMs % 1_000) * 1e6];
      const errors: unknown[] = [];
      const metrics: MetricData[] = [];
      for (const source of sources) {
        try {
          for (const metric of await source()) {
            if (metric.samples.length > 0) metrics.push(toMetricData(metric, startTime));
          }
        } catch (error) {
          errors.push(error);
        }
      }
      return {
        resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics: [{ scope: { name: scope }, metrics }] },
        errors,
      };
    },
  };
}

function toMetricData(metric: SourceMetric, startTime: HrTime): MetricData {
  const descriptor: MetricDescriptor = {
    name: metric.name,
    description: metric.help,
    unit: '',
    valueType: ValueType.DOUBLE,
  };
  const common = {
    descriptor,
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  // The reader writes no times of its own, so the end is of no consequence.
  const point = <T>(labels: Attributes, value: T) => ({ startTime, endTime: startTime, attributes: labels, value });
  switch (metric.kind) {
    case 'counter':
      return {
        ...common,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: metric.samples.map(({ labels, value }) => point(labels, value)),
      };
    case 'gauge':
      return {
        ...common,
        dataPointType: DataPointType.GAUGE,
        dataPoints: metric.samples.map(({ labels, value }) => point(labels, value)),
      };
    case 'histogram':
      return {
        ...common,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: metric.samples.map(({ labels, buckets, sum }) =>
          point(labels, {
            buckets: { boundaries: [...metric.bounds], counts: [...buckets] },
            sum,
            count: buckets.reduce((total, count) => total + count, 0),
          }),
        ),
      };
  }
}
