// SPDX-License-Identifier: Apache-2.0
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MetricReader, type MetricProducer } from '@opentelemetry/sdk-metrics';

/**
 * Collects the metrics when asked and writes them in Prometheus' text format 0.0.4.
 * The exporter package's own reader is not used: it brings a server, and its content type lacks the version that
 * Prometheus 3 demands.
 */
export class PrometheusReader extends MetricReader {
  // Plain series: no target_info and no otel_scope_* labels, so that names and labels are just what dashboards know.
  readonly #serializer = new PrometheusSerializer('', false, undefined, true, true);
  readonly #exactNames: ReadonlySet<string>;

  /** `exactNames`: counters that are written without the `_total` that the serializer appends. */
  constructor(producers: MetricProducer[], exactNames: readonly string[]) {
    super({ metricProducers: producers });
    this.#exactNames = new Set(exactNames);
  }

  /** All metrics now; `errors` are those of single instruments, whose series are then missing. */
  async read(): Promise<{ text: string; errors: unknown[] }> {
    const { resourceMetrics, errors } = await this.collect();
    let text = this.#serializer.serialize(resourceMetrics);
    for (const name of this.#exactNames) {
      text = text.replaceAll(new RegExp(`^(# (?:HELP|TYPE) )?${name}_total(?=[ {])`, 'gm'), `$1${name}`);
    }
    return { text: text.endsWith('\n') ? text : `${text}\n`, errors };
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}
