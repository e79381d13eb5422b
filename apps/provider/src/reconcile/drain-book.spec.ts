// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { FunctionPlan } from '../domain/function-plan.js';
import { ManualClock } from '../platform/clock.fixture.js';
import { GatewayRegistry } from '../routes/gateway-registry.js';
import { DrainBook } from './drain-book.js';

function plan(more: Partial<FunctionPlan>): FunctionPlan {
  return {
    create: 0,
    serving: [],
    draining: [],
    remove: [],
    refreshSecrets: [],
    wakeAtMs: undefined,
    reason: '',
    failure: '',
    ...more,
  };
}

describe('DrainBook', () => {
  const SINCE = { routesVersion: 7n, deadlineMs: 100 };
  let gateways: GatewayRegistry;
  let book: DrainBook;

  beforeEach(() => {
    const clock = new ManualClock();
    gateways = new GatewayRegistry(10, clock);
    clock.advance(10);
    gateways.connect('g');
    book = new DrainBook(gateways);
  });

  it('says so when a replica begins to drain, and only then', () => {
    expect(book.note(plan({ draining: ['a'] }), ['a'], SINCE)).toBe(true);
    expect(book.note(plan({ draining: ['a'] }), ['a'], { routesVersion: 9n, deadlineMs: 999 })).toBe(false);
    expect(book.of('a')).toEqual({ deadlineMs: 100, isReleased: false });
    expect(book.of('b')).toBeUndefined();
  });

  it('tells when the gateways have released it', () => {
    book.note(plan({ draining: ['a'] }), ['a'], SINCE);
    gateways.report('g', 7n, []);
    expect(book.of('a')?.isReleased).toBe(true);
  });

  it('remembers a replica that is being removed, in case that fails', () => {
    book.note(plan({ draining: ['a'] }), ['a'], SINCE);
    book.note(plan({ remove: ['a'] }), ['a'], SINCE);
    book.note(plan({}), ['a'], SINCE);
    expect(book.of('a')).toBeDefined();
  });

  it('forgets a replica that serves again, and one that is gone', () => {
    book.note(plan({ draining: ['a', 'b'] }), ['a', 'b'], SINCE);
    book.note(plan({ serving: ['a'] }), ['a'], SINCE);
    expect(book.isEmpty).toBe(true);
  });
});
