// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { bestOf, bound, compare, interleave, quantile } from './measurement.ts';
import { renderSvg, renderTable } from './report.ts';

describe('measurement', () => {
  it('takes quantiles of unsorted samples and refuses none', () => {
    expect(quantile([5, 1, 3, 2, 4], 0.5)).toBe(3);
    expect(quantile([5, 1, 3, 2, 4], 0.99)).toBe(5);
    expect(quantile([5, 1, 3, 2, 4], 0)).toBe(1);
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });

  it('takes the nearest rank, not the greatest of 100 samples for their p99', () => {
    const samples = Array.from({ length: 100 }, (_, i) => i + 1);
    expect(quantile(samples, 0.99)).toBe(99);
    expect(quantile(samples, 0.5)).toBe(50);
    expect(quantile(samples, 1)).toBe(100);
  });

  it('takes the ratio per round, so that a round in which both are slow does not count twice', () => {
    const ours = { contestant: 'ours', values: [10, 100, 12] };
    const reference = { contestant: 'nginx', values: [20, 200, 20] };
    const result = compare('p50', 'us', 'lower', ours, reference, 0.5);
    expect(result).toMatchObject({ name: 'p50 / nginx', ratio: 0.5, holds: true });
    expect(compare('rate', '1/s', 'higher', ours, reference, 0.55).holds).toBe(false);
  });

  it('lets the best setting of the reference count', () => {
    const slow = { contestant: 'slow', values: [3, 3, 3] };
    const quick = { contestant: 'quick', values: [2, 9, 2] };
    expect(bestOf([slow, quick], 'lower').contestant).toBe('quick');
    expect(bestOf([slow, quick], 'higher').contestant).toBe('slow');
  });

  it('holds a value against an absolute bound', () => {
    expect(bound('start', 'ms', 'lower', [7, 9, 6], 8)).toMatchObject({
      ours: 7,
      reference: null,
      ratio: null,
      holds: true,
    });
  });

  it('measures each contestant once a round and rotates the order', async () => {
    const order: string[] = [];
    const [first] = await interleave(['a', 'b'], 2, (contestant, round) => {
      order.push(contestant);
      return Promise.resolve([contestant === 'a' ? round : 10 + round]);
    });
    expect(order).toEqual(['a', 'b', 'b', 'a']);
    expect(first).toEqual([
      { contestant: 'a', values: [0, 1] },
      { contestant: 'b', values: [10, 11] },
    ]);
  });

  it('renders a table and a plot that name missed targets', () => {
    const missed = bound('idle & <quiet>', '%', 'lower', [3], 2);
    expect(renderTable([missed])).toContain('MISSED');
    expect(renderSvg('main', [missed])).toContain('idle &amp; &lt;quiet&gt;');
  });
});
