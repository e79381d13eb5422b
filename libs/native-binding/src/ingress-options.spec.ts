// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { INGRESS_DEFAULTS, resolveIngressOptions } from './ingress-options.js';

const least = { host: '127.0.0.1', port: 0, apiSocketPath: '/run/api.sock' };

describe('resolveIngressOptions', () => {
  it('fills in the defaults', () => {
    expect(resolveIngressOptions(least)).toEqual({ ...INGRESS_DEFAULTS, ...least });
  });

  it('keeps what is given', () => {
    expect(resolveIngressOptions({ ...least, workers: 3, host: '::1' })).toMatchObject({ workers: 3, host: '::1' });
  });

  it('names every fault at once', () => {
    const faulty = {
      host: 'localhost',
      port: 70_000,
      apiSocketPath: 'x'.repeat(108),
      workers: 0,
      spinUs: 1.5,
      defaultNamespace: 'Open_Faas',
    };
    expect(() => resolveIngressOptions(faulty)).toThrow(
      expect.objectContaining({
        code: 'ERR_NATIVE_OPTION',
        message: expect.stringMatching(/port.*workers.*spinUs.*host.*apiSocketPath.*defaultNamespace/) as unknown,
      }),
    );
  });

  it('posts to no event queue unless one is named', () => {
    expect(resolveIngressOptions(least).eventQueuePath).toBe('');
    expect(resolveIngressOptions({ ...least, eventQueuePath: '/run/s/events' }).eventQueuePath).toBe('/run/s/events');
  });

  it('takes a path of 107 bytes, the longest that unix(7) has room for', () => {
    expect(() => resolveIngressOptions({ ...least, apiSocketPath: 'x'.repeat(107) })).not.toThrow();
  });
});
