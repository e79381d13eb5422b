// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { RpcMetrics } from './rpc-metrics.js';

describe('RpcMetrics', () => {
  it('counts calls by outcome and path', () => {
    const metrics = new RpcMetrics();
    metrics.count('/s/Deploy', 'ok', 0.002);
    metrics.count('/s/Deploy', 'ok', 100);
    metrics.count('/s/Deploy', 'not_found', 0.0005);
    const [counter, histogram] = metrics.source();

    expect(counter).toMatchObject({
      name: 'provider_http_requests_total',
      samples: [
        { labels: { code: '200', method: 'POST', path: '/s/Deploy' }, value: 2 },
        { labels: { code: '404', method: 'POST', path: '/s/Deploy' }, value: 1 },
      ],
    });
    if (histogram?.kind !== 'histogram') {
      throw new Error('the second metric is no histogram');
    }
    expect(histogram.name).toBe('provider_http_request_duration_seconds');
    const [ok, missing] = histogram.samples;
    expect(ok?.sum).toBeCloseTo(100.002);
    expect(ok?.buckets[histogram.bounds.indexOf(0.0025)]).toBe(1);
    expect(ok?.buckets.at(-1)).toBe(1);
    expect(missing?.buckets[0]).toBe(1);
  });
});
