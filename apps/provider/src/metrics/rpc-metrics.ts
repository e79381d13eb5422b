// SPDX-License-Identifier: Apache-2.0
import type { ErrorKind } from '@junctiond/rpc';
import type { HistogramSample, MetricSource, Sample } from '@junctiond/telemetry';

/** The status that the same outcome has in the HTTP API, so that dashboards of the contract need not know gRPC. */
const HTTP_CODES: Readonly<Record<ErrorKind | 'ok', number>> = {
  ok: 200,
  cancelled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409,
  aborted: 409,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  unauthenticated: 401,
};

/** Prometheus's customary bounds, with two more below: most calls take less than 5 ms. */
const BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Series {
  readonly labels: { readonly code: string; readonly method: string; readonly path: string };
  readonly buckets: number[];
  count: number;
  sum: number;
}

/** Counts the calls of the provider's API: a gRPC call is an HTTP/2 POST to the method's path. */
export class RpcMetrics {
  readonly #series = new Map<string, Series>();

  /** As `onFinished` of the gRPC server. */
  readonly count = (path: string, outcome: ErrorKind | 'ok', seconds: number): void => {
    const code = String(HTTP_CODES[outcome]);
    const key = `${code} ${path}`;
    const series = this.#series.get(key) ?? {
      labels: { code, method: 'POST', path },
      buckets: new Array<number>(BOUNDS_SECONDS.length + 1).fill(0),
      count: 0,
      sum: 0,
    };
    this.#series.set(key, series);
    const bucket = BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
    const index = bucket === -1 ? BOUNDS_SECONDS.length : bucket;
    series.buckets[index] = (series.buckets[index] ?? 0) + 1;
    series.count += 1;
    series.sum += seconds;
  };

  readonly source: MetricSource = () => {
    const all = [...this.#series.values()];
    return [
      {
        kind: 'counter',
        name: 'provider_http_requests_total',
        help: 'Calls of the provider API that are over.',
        samples: all.map(({ labels, count }): Sample => ({ labels, value: count })),
      },
      {
        kind: 'histogram',
        name: 'provider_http_request_duration_seconds',
        help: 'How long calls of the provider API took; for streams, how long they were open.',
        bounds: BOUNDS_SECONDS,
        samples: all.map(({ labels, buckets, sum }): HistogramSample => ({ labels, buckets, sum })),
      },
    ];
  };
}
