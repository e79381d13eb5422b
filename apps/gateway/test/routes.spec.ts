// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { functionV1 } from '@junctiond/contracts';
import { RpcError } from '@junctiond/rpc';
import { until as untilTrue } from '@junctiond/testing';
import { noCounts } from './fake-ingress.fixture.js';
import { GatewayFixture } from './gateway.fixture.js';

/** Waits for a condition, which names itself. */
const until = async (probe: () => boolean | Promise<boolean>): Promise<void> => {
  await untilTrue(String(probe), probe);
};

const route = (functionName: string, over: Partial<functionV1.Route> = {}): functionV1.Route => ({
  functionName,
  replicas: [],
  timeoutMs: 60_000,
  maxInflight: 0,
  startsFromZero: true,
  wantedReplicas: 1,
  failure: '',
  scaleMin: 1,
  scaleTarget: 50,
  ...over,
});

describe('the gateway', () => {
  let gateway: GatewayFixture;

  beforeEach(async () => {
    gateway = await GatewayFixture.start();
    await until(() => gateway.ingress.updates.length === 1);
  });
  afterEach(async () => {
    await gateway.dispose();
  });

  it('starts the ingress on its configured address, with the API behind it', () => {
    expect(gateway.ingress.options).toMatchObject({
      host: '127.0.0.1',
      port: 0,
      apiSocketPath: gateway.config.paths.gatewayApiSocket,
      schedulerDoorbellPath: gateway.config.paths.schedulerDoorbell,
      eventQueuePath: gateway.config.paths.nicEvents,
      defaultTimeoutMs: 60_000,
    });
  });

  it('has routes from the first request on', async () => {
    await gateway.dispose();
    gateway = await GatewayFixture.start({}, (provider) => provider.push([route('echo.dev')]));
    expect(gateway.ingress.events).toEqual(['start', 'routes']);
    expect(gateway.ingress.updates[0]).toMatchObject({ snapshot: true, upserts: [{ functionName: 'echo.dev' }] });
  });

  it('serves without routes when the provider does not come in time, and takes them when it is there', async () => {
    await gateway.dispose();
    gateway = await GatewayFixture.start({ JUNCTION_GATEWAY_ROUTES_TIMEOUT: '10ms' }, (provider) => provider.stop());
    expect(gateway.ingress.events).toEqual(['start']);
    expect((await fetch(`http://127.0.0.1:${gateway.telemetry.port}/healthz`)).status).toBe(200);
    await gateway.provider.start();
    await until(() => gateway.ingress.updates.length === 1);
  });

  it('gives the ingress the snapshot and then each delta', async () => {
    expect(gateway.ingress.updates[0]).toEqual({ snapshot: true, version: 1n, upserts: [], removes: [] });
    gateway.provider.push([
      route('echo.dev', {
        maxInflight: 4,
        failure: 'no image',
        replicas: [
          { id: 'r1', host: '127.0.0.1', port: 4001, draining: false, linkPath: '/run/s/links/r1', instanceNumber: 7 },
          { id: 'r2', host: '127.0.0.1', port: 4002, draining: true, linkPath: '', instanceNumber: 0 },
        ],
      }),
    ]);
    gateway.provider.push([], ['echo.dev']);
    await until(() => gateway.ingress.updates.length === 3);
    expect(gateway.ingress.updates.slice(1)).toEqual([
      {
        snapshot: false,
        version: 2n,
        removes: [],
        upserts: [
          {
            functionName: 'echo.dev',
            timeoutMs: 60_000,
            maxInflight: 4,
            startsFromZero: true,
            failure: 'no image',
            replicas: [
              {
                id: 'r1',
                host: '127.0.0.1',
                port: 4001,
                state: 'ready',
                linkPath: '/run/s/links/r1',
                instanceNumber: 7,
              },
              { id: 'r2', host: '127.0.0.1', port: 4002, state: 'draining' },
            ],
          },
        ],
      },
      { snapshot: false, version: 3n, upserts: [], removes: ['echo.dev'] },
    ]);
  });

  it('keeps its routes while the provider is away and takes a snapshot when it is back', async () => {
    gateway.provider.push([route('echo.dev')]);
    await until(() => gateway.ingress.updates.length === 2);
    await gateway.provider.stop();
    await until(async () => (await gateway.telemetry.scrape()).includes('gateway_provider_connected 0'));
    expect(gateway.ingress.updates).toHaveLength(2);
    expect(await gateway.telemetry.scrape()).toContain('gateway_service_count{function_name="echo.dev"} 1');
    gateway.provider.push([route('other.dev')], ['echo.dev']);
    await gateway.provider.start();
    await until(() => gateway.ingress.updates.length === 3);
    expect(gateway.ingress.updates[2]).toMatchObject({
      snapshot: true,
      version: 3n,
      upserts: [{ functionName: 'other.dev' }],
    });
    await until(async () => (await gateway.telemetry.scrape()).includes('gateway_provider_connected 1'));
    expect(await gateway.telemetry.scrape()).not.toContain('echo.dev');
  });

  it('reports the routes in force and the replicas that are still busy', async () => {
    await until(() => gateway.provider.reports.length === 1);
    const [{ gatewayId, ...first } = { gatewayId: '' }] = gateway.provider.reports;
    expect(first).toEqual({ appliedVersion: 1n, busyReplicas: [] });
    expect(gatewayId).not.toBe('');
    gateway.ingress.busy = ['r1', 'r2'];
    gateway.provider.push([route('echo.dev')]);
    await until(() => gateway.provider.reports.length === 2);
    gateway.ingress.becomeIdle('r1');
    await until(() => gateway.provider.reports.length === 3);
    expect(gateway.provider.reports.slice(1)).toEqual([
      { gatewayId, appliedVersion: 2n, busyReplicas: ['r1', 'r2'] },
      { gatewayId, appliedVersion: 2n, busyReplicas: ['r2'] },
    ]);
  });

  describe('on a cold start', () => {
    it('asks the provider for a replica', async () => {
      await gateway.send('POST', '/system/functions', { body: { service: 'echo', image: 'i', namespace: 'dev' } });
      gateway.ingress.coldStart('echo.dev');
      await until(() => gateway.provider.calls.some(([method]) => method === 'requestReplica'));
      expect(gateway.provider.calls.at(-1)).toEqual(['requestReplica', { name: 'echo', namespace: 'dev' }]);
      expect(gateway.ingress.failed).toEqual([]);
    });

    it.each([
      ['failed_precondition', 'the image is gone', 503, 'echo.dev cannot be started: the image is gone'],
      ['not_found', 'no such function', 503, 'echo.dev cannot be started: no such function'],
    ] as const)('answers the waiting requests when the provider says %s', async (kind, text, status, message) => {
      gateway.provider.overrides.requestReplica = () => Promise.reject(new RpcError(kind, text));
      gateway.ingress.coldStart('echo.dev');
      await until(() => gateway.ingress.failed.length === 1);
      expect(gateway.ingress.failed).toEqual([['echo.dev', status, message]]);
    });

    it('waits for a provider that restarts', async () => {
      await gateway.send('POST', '/system/functions', { body: { service: 'echo', image: 'i', namespace: 'dev' } });
      await gateway.provider.stop();
      gateway.ingress.coldStart('echo.dev');
      await gateway.provider.start();
      await until(() => gateway.provider.calls.some(([method]) => method === 'requestReplica'));
      expect(gateway.ingress.failed).toEqual([]);
    });

    it('answers 504 naming the hop when the provider does not come back in time', async () => {
      const impatient = await GatewayFixture.start({ JUNCTION_GATEWAY_PROVIDER_TIMEOUT: '100ms' });
      await impatient.provider.stop();
      impatient.ingress.coldStart('echo.dev');
      await until(() => impatient.ingress.failed.length === 1);
      const [name, status, message] = impatient.ingress.failed[0]!;
      expect([name, status]).toEqual(['echo.dev', 504]);
      expect(message).toContain(`the provider at unix:${impatient.config.paths.providerSocket} did not answer in time`);
      await impatient.dispose();
    });
  });

  it('exports what the ingress counted under the names that dashboards know', async () => {
    gateway.provider.push([
      route('echo.dev', {
        wantedReplicas: 3,
        scaleMin: 2,
        scaleTarget: 9,
        replicas: [
          { id: 'r1', host: '127.0.0.1', port: 4001, draining: false, linkPath: '/run/s/links/r1', instanceNumber: 7 },
          { id: 'r2', host: '127.0.0.1', port: 4002, draining: true, linkPath: '', instanceNumber: 0 },
        ],
      }),
    ]);
    await until(() => gateway.ingress.updates.length === 2);
    gateway.ingress.counts = {
      ...noCounts,
      functions: [
        {
          functionName: 'echo.dev',
          started: 7,
          inflight: 1,
          held: 0,
          queued: 0,
          coldStarts: 1,
          codes: [{ code: 200, count: 6, secondsSum: 0.5, buckets: [1, 2, 3, 0] }],
        },
      ],
      http: [{ method: 'GET', path: '/function', status: 200, count: 6, secondsSum: 0.5, buckets: [1, 2, 3, 0] }],
    };
    const lines = (await gateway.telemetry.scrape()).split('\n');
    for (const line of [
      '# TYPE gateway_functions_seconds histogram',
      'gateway_functions_seconds_count{function_name="echo.dev",code="200"} 6',
      'gateway_functions_seconds_sum{function_name="echo.dev",code="200"} 0.5',
      'gateway_functions_seconds_bucket{function_name="echo.dev",code="200",le="0.001"} 1',
      'gateway_functions_seconds_bucket{function_name="echo.dev",code="200",le="0.01"} 3',
      'gateway_functions_seconds_bucket{function_name="echo.dev",code="200",le="+Inf"} 6',
      '# TYPE gateway_function_invocation_total counter',
      'gateway_function_invocation_total{function_name="echo.dev",code="200"} 6',
      '# TYPE gateway_function_invocation_started counter',
      'gateway_function_invocation_started{function_name="echo.dev"} 7',
      '# TYPE gateway_function_invocation_inflight gauge',
      'gateway_function_invocation_inflight{function_name="echo.dev"} 1',
      '# TYPE gateway_service_count gauge',
      'gateway_service_count{function_name="echo.dev"} 3',
      'gateway_service_ready_count{function_name="echo.dev"} 1',
      'gateway_service_min{function_name="echo.dev"} 2',
      'gateway_service_target{function_name="echo.dev"} 9',
      '# TYPE http_requests_total counter',
      'http_requests_total{method="GET",path="/function",status="200"} 6',
      'http_request_duration_seconds_bucket{method="GET",path="/function",status="200",le="0.1"} 6',
      'gateway_cold_starts_total{function_name="echo.dev"} 1',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('serves /metrics and /healthz on the metrics port', async () => {
    const base = `http://127.0.0.1:${gateway.telemetry.port}`;
    const metrics = await fetch(`${base}/metrics`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toContain('gateway_provider_connected 1');
    const health = await fetch(`${base}/healthz`);
    expect([health.status, await health.text()]).toEqual([200, 'ok, provider connected\n']);
  });

  it('drains when it is told to stop, taking routes meanwhile, and only then ends', async () => {
    const drained = Promise.withResolvers<{ abandoned: number }>();
    gateway.ingress.onDrain = () => drained.promise;
    const closed = gateway.close();
    await until(() => gateway.ingress.events.includes('drain'));
    gateway.provider.push([route('echo.dev')]);
    await until(() => gateway.ingress.updates.length === 2);
    expect(gateway.ingress.events).toEqual(['start', 'routes', 'drain', 'routes']);
    drained.resolve({ abandoned: 2 });
    await closed;
    expect(gateway.ingress.events.at(-1)).toBe('stop');
    expect(existsSync(gateway.config.paths.gatewayApiSocket)).toBe(false);
    expect(gateway.logLines).toContainEqual(expect.objectContaining({ abandoned: 2, msg: 'requests were cut off' }));
    await until(() => gateway.provider.watchers === 0);
  });
});
