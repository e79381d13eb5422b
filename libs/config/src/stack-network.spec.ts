// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { deviceNamePattern, stackNetwork } from './stack-network.js';

describe('stackNetwork', () => {
  it('gives the default stack a range that people can remember', () => {
    expect(stackNetwork('junction')).toMatchObject({
      device: 'jn-junction',
      range: '10.62.0.0/16',
    });
  });

  it('gives others a /20 above it and a unique local /64, always the same', () => {
    const names = Array.from({ length: 200 }, (_, index) => `e2e-${index}`);
    for (const name of names) {
      const { range, range6 } = stackNetwork(name);
      expect(range).toMatch(/^10\.(6[4-9]|[7-9]\d|1\d\d|2[0-4]\d|25[0-5])\.(\d{1,2}|1\d\d|2[0-3]\d|240)\.0\/20$/);
      expect(Number(range.split('.')[2]) % 16).toBe(0);
      expect(range6).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/64$/);
      expect(stackNetwork(name)).toEqual(stackNetwork(name));
    }
    expect(new Set(names.map((name) => stackNetwork(name).range)).size).toBeGreaterThan(180);
    expect(new Set(names.map((name) => stackNetwork(name).range6)).size).toBe(200);
  });

  it('names devices that Linux takes, and different ones for long names that begin alike', () => {
    const [one, two] = [stackNetwork('e2e-1234567-123'), stackNetwork('e2e-1234567-124')];
    expect(one.device).toMatch(deviceNamePattern);
    expect(one.device.slice(0, 11)).toBe('jn-e2e-123-');
    expect(one.device).not.toBe(two.device);
  });
});
