// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startTelemetry, type Telemetry } from './telemetry.js';

describe('telemetry', () => {
  let telemetry: Telemetry;
  let errors: unknown[];

  beforeEach(async () => {
    errors = [];
    telemetry = await startTelemetry({
      app: 'test',
      version: '1.0.0',
      metricsHost: '127.0.0.1',
      metricsPort: 0,
      exactCounterNames: ['old_counter'],
      onError: (error) => errors.push(error),
    });
  });
  afterEach(async () => {
    await telemetry.close();
  });

  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${telemetry.port}${path}`, init);
  const lines = async () => (await telemetry.scrape()).split('\n');

  it('writes what the meter counts', async () => {
    telemetry.meter.createCounter('requests', { description: 'Requests.' }).add(2, { code: '200' });
    const histogram = telemetry.meter.createHistogram('seconds', { advice: { explicitBucketBoundaries: [1, 2] } });
    histogram.record(1.5, { path: 'a"b\\c' });
    expect(await lines()).toEqual(
      expect.arrayContaining([
        '# HELP requests_total Requests.',
        '# TYPE requests_total counter',
        'requests_total{code="200"} 2',
        '# TYPE seconds histogram',
        'seconds_bucket{path="a\\"b\\\\c",le="1"} 0',
        'seconds_bucket{path="a\\"b\\\\c",le="2"} 1',
        'seconds_count{path="a\\"b\\\\c"} 1',
      ]),
    );
  });

  it('writes what a source has counted, with cumulative buckets', async () => {
    telemetry.addSource(() => [
      { kind: 'gauge', name: 'depth', help: 'Depth.', samples: [{ labels: {}, value: 3 }] },
      { kind: 'gauge', name: 'nothing', help: 'Nothing.', samples: [] },
      {
        kind: 'histogram',
        name: 'wait_seconds',
        help: 'Wait.',
        bounds: [0.1, 1],
        samples: [{ labels: { q: 'x' }, buckets: [1, 2, 4], sum: 9.5 }],
      },
    ]);
    const text = await lines();
    expect(text).toEqual(
      expect.arrayContaining([
        '# TYPE depth gauge',
        'depth 3',
        'wait_seconds_bucket{q="x",le="0.1"} 1',
        'wait_seconds_bucket{q="x",le="1"} 3',
        'wait_seconds_bucket{q="x",le="+Inf"} 7',
        'wait_seconds_sum{q="x"} 9.5',
        'wait_seconds_count{q="x"} 7',
      ]),
    );
    expect(text.join('\n')).not.toContain('nothing');
  });

  it('keeps the names of old counters exactly, and those alone', async () => {
    telemetry.addSource(() => [
      { kind: 'counter', name: 'old_counter', help: 'Old.', samples: [{ labels: { a: 'b' }, value: 1 }] },
      { kind: 'counter', name: 'old_counter_two', help: 'Other.', samples: [{ labels: {}, value: 2 }] },
    ]);
    expect(await lines()).toEqual(
      expect.arrayContaining(['# TYPE old_counter counter', 'old_counter{a="b"} 1', 'old_counter_two_total 2']),
    );
  });

  it('adds no labels or series of its own but those of the process', async () => {
    const text = await telemetry.scrape();
    expect(text).not.toMatch(/otel_scope|target_info/);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('answers the other series when a source fails', async () => {
    telemetry.addSource(() => {
      throw new Error('no counts');
    });
    expect(await telemetry.scrape()).toContain('process_cpu_seconds_total');
    expect(errors).toEqual([new Error('no counts')]);
  });

  it('serves /metrics in the type that Prometheus wants', async () => {
    const answer = await get('/metrics');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(await answer.text()).toContain('process_start_time_seconds');
    expect((await get('/metrics', { method: 'HEAD' })).status).toBe(200);
  });

  it('serves /healthz', async () => {
    expect((await get('/healthz')).status).toBe(200);
    telemetry.setHealth(() => Promise.resolve({ isHealthy: false, message: 'redis is away' }));
    const answer = await get('/healthz?x=1');
    expect([answer.status, await answer.text()]).toEqual([503, 'redis is away\n']);
  });

  it('answers 500 when the health cannot be told', async () => {
    telemetry.setHealth(() => Promise.reject(new Error('odd')));
    expect((await get('/healthz')).status).toBe(500);
    expect(errors).toEqual([new Error('odd')]);
  });

  it('answers 404 and 405 to everything else', async () => {
    expect((await get('/')).status).toBe(404);
    const answer = await get('/metrics', { method: 'POST' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('fails when its port is taken', async () => {
    const again = startTelemetry({
      app: 'test',
      version: '1.0.0',
      metricsHost: '127.0.0.1',
      metricsPort: telemetry.port,
      onError: () => undefined,
    });
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
