// SPDX-License-Identifier: Apache-2.0
// The ingress counts, Prometheus asks: names and labels are those that dashboards of OpenFaaS know.
import type { FunctionMetrics, IngressMetrics } from '@junctiond/native-binding';
import type { Sample, SourceMetric } from '@junctiond/telemetry';
import type { RouteTable } from '../routes/route-table.js';

/** Written without `_total`, as dashboards know it. */
export const exactCounterNames = ['gateway_function_invocation_started'];

/** The series of the ingress' counters. */
export function ingressSeries(metrics: IngressMetrics): SourceMetric[] {
  return [...invocationSeries(metrics), ...httpSeries(metrics), ...ownSeries(metrics)];
}

function invocationSeries({ functions, bucketBoundsSeconds }: IngressMetrics): SourceMetric[] {
  const byCode = functions.flatMap(({ functionName, codes }) =>
    codes.map((code) => ({ labels: { function_name: functionName, code: String(code.code) }, ...code })),
  );
  return [
    {
      kind: 'histogram',
      name: 'gateway_functions_seconds',
      help: 'Time of invocations in seconds, from the request to the end of the answer.',
      bounds: bucketBoundsSeconds,
      samples: byCode.map(({ labels, buckets, secondsSum }) => ({ labels, buckets, sum: secondsSum })),
    },
    counter(
      'gateway_function_invocation_total',
      'Invocations that were answered.',
      byCode.map(({ labels, count }) => ({ labels, value: count })),
    ),
    counter(
      'gateway_function_invocation_started',
      'Invocations that began.',
      perFunction(functions, ({ started }) => started),
    ),
    gauge(
      'gateway_function_invocation_inflight',
      'Invocations in flight.',
      perFunction(functions, ({ inflight }) => inflight),
    ),
    counter(
      'gateway_cold_starts_total',
      'Times that a function had to be started for a request.',
      perFunction(functions, ({ coldStarts }) => coldStarts),
    ),
    gauge(
      'gateway_held_requests',
      'Requests that wait for the first replica.',
      perFunction(functions, ({ held }) => held),
    ),
    gauge(
      'gateway_queued_requests',
      'Requests that wait for a free place under max_inflight.',
      perFunction(functions, ({ queued }) => queued),
    ),
  ];
}

function httpSeries({ http, bucketBoundsSeconds }: IngressMetrics): SourceMetric[] {
  const series = http.map(({ method, path, status, ...rest }) => ({
    labels: { method, path, status: String(status) },
    ...rest,
  }));
  return [
    counter(
      'http_requests_total',
      'HTTP requests of all kinds.',
      series.map(({ labels, count }) => ({ labels, value: count })),
    ),
    {
      kind: 'histogram',
      name: 'http_request_duration_seconds',
      help: 'Time of HTTP requests in seconds.',
      bounds: bucketBoundsSeconds,
      samples: series.map(({ labels, buckets, secondsSum }) => ({ labels, buckets, sum: secondsSum })),
    },
  ];
}

/** What OpenFaaS has no names for. */
function ownSeries({ connections, spin, links, doorbellRings, routesVersion }: IngressMetrics): SourceMetric[] {
  return [
    gauge('gateway_connections', 'Open client connections.', one(connections.open)),
    counter('gateway_connections_accepted_total', 'Client connections accepted.', one(connections.accepted)),
    counter(
      'gateway_connections_timed_out_total',
      'Client connections closed for being idle, slow or stalled.',
      one(connections.timedOut),
    ),
    counter(
      'gateway_accept_failures_total',
      'Failed accepts for want of descriptors or memory.',
      one(connections.acceptFailures),
    ),
    counter(
      'gateway_replica_connections_opened_total',
      'Connections opened to replicas.',
      one(connections.replicaOpened),
    ),
    counter(
      'gateway_replica_retries_total',
      'Invocations sent again because the pooled connection was stale.',
      one(connections.replicaRetries),
    ),
    counter('gateway_spins_total', 'Spins before sleeping, by whether an event ended them.', [
      { labels: { result: 'hit' }, value: spin.hits },
      { labels: { result: 'miss' }, value: spin.misses },
      { labels: { result: 'skip' }, value: spin.skips },
    ]),
    counter('gateway_spin_seconds_total', 'Time spent spinning, in seconds.', one(spin.spunUs / 1e6)),
    counter('gateway_doorbell_rings_total', "Times that the scheduler's doorbell was rung.", one(doorbellRings)),
    gauge('gateway_links', 'Shared-memory links to instances, over all workers.', one(links.attached)),
    counter('gateway_link_attach_failures_total', 'Attempts that brought no link.', one(links.attachFailures)),
    counter('gateway_link_losses_total', 'Links that ended: instance gone, or its rings broken.', one(links.losses)),
    counter(
      'gateway_link_fallbacks_total',
      'Connections by address to replicas that are to be reached over a link.',
      one(links.fallbacks),
    ),
    counter('gateway_link_frames_total', 'Frames over links.', [
      { labels: { direction: 'in' }, value: links.framesIn },
      { labels: { direction: 'out' }, value: links.framesOut },
    ]),
    counter('gateway_link_rings_total', 'Sleeping instances that were woken.', one(links.rings)),
    counter('gateway_link_vain_rings_total', 'Rings of instances that had sent nothing.', one(links.vainRings)),
    counter(
      'gateway_link_mutes_total',
      'Times that an instance was not listened to, as it rang too much.',
      one(links.mutes),
    ),
    gauge('gateway_routes_version', 'Version of the routes in force.', one(Number(routesVersion))),
  ];
}

/** The series that follow from the routes. */
export function routeSeries(routes: RouteTable): SourceMetric[] {
  const all = [...routes.all()];
  const perRoute = (value: (route: (typeof all)[number]) => number): Sample[] =>
    all.map((route) => ({ labels: { function_name: route.functionName }, value: value(route) }));
  return [
    gauge(
      'gateway_service_count',
      'Wanted replicas.',
      perRoute(({ wantedReplicas }) => wantedReplicas),
    ),
    gauge(
      'gateway_service_ready_count',
      'Ready replicas.',
      perRoute(({ replicas }) => replicas.filter(({ draining }) => !draining).length),
    ),
    gauge(
      'gateway_service_min',
      'Least replicas (com.openfaas.scale.min).',
      perRoute(({ scaleMin }) => scaleMin),
    ),
    gauge(
      'gateway_service_target',
      'Load a replica (com.openfaas.scale.target).',
      perRoute(({ scaleTarget }) => scaleTarget),
    ),
    gauge(
      'gateway_provider_connected',
      'Whether routes come from the provider: 1 or 0.',
      one(routes.isConnected ? 1 : 0),
    ),
  ];
}

function perFunction(functions: readonly FunctionMetrics[], value: (metrics: FunctionMetrics) => number): Sample[] {
  return functions.map((metrics) => ({ labels: { function_name: metrics.functionName }, value: value(metrics) }));
}

const one = (value: number): Sample[] => [{ labels: {}, value }];
const counter = (name: string, help: string, samples: Sample[]): SourceMetric => ({
  kind: 'counter',
  name,
  help,
  samples,
});
const gauge = (name: string, help: string, samples: Sample[]): SourceMetric => ({ kind: 'gauge', name, help, samples });
