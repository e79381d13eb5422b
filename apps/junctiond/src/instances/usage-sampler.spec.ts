// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { UsageSampler } from './usage-sampler.js';

const second = 1_000_000_000n;

describe('UsageSampler', () => {
  it('answers the mean since the start first, then since the last question', () => {
    const sampler = new UsageSampler();
    expect(sampler.millicores('a', { atMs: 10_000, cpuNs: second }, 0)).toBe(100);
    expect(sampler.millicores('a', { atMs: 12_000, cpuNs: 4n * second }, 0)).toBe(1500);
    expect(sampler.millicores('b', { atMs: 12_000, cpuNs: 0n }, 11_000)).toBe(0);
  });

  it('does not make much of a short time', () => {
    const sampler = new UsageSampler();
    expect(sampler.millicores('a', { atMs: 100, cpuNs: second / 10n }, 0)).toBe(0);
    expect(sampler.millicores('a', { atMs: 1000, cpuNs: second }, 0)).toBe(1000);
    expect(sampler.millicores('a', { atMs: 1001, cpuNs: second * 2n }, 0)).toBe(1000);
  });

  it('begins anew with a new instance of the same name', () => {
    const sampler = new UsageSampler();
    sampler.millicores('a', { atMs: 1000, cpuNs: second }, 0);
    expect(sampler.millicores('a', { atMs: 3000, cpuNs: second / 2n }, 2000)).toBe(500);
    sampler.forget('a');
    expect(sampler.millicores('a', { atMs: 4000, cpuNs: second }, 2000)).toBe(500);
  });
});
