// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import { RouteTable } from './route-table.js';

const signal = new AbortController().signal;

function route(name: string, more: Partial<functionV1.Route> = {}): functionV1.Route {
  return { ...functionV1.Route.create({ functionName: name, startsFromZero: true }), ...more };
}

describe('RouteTable', () => {
  it('sends nothing before it is complete', async () => {
    const table = new RouteTable();
    const first = table.subscribe().next(signal);
    table.startAbove(100n);
    table.set(route('a.ns'));
    table.set(route('b.ns'));
    table.open();
    expect(await first).toEqual({
      snapshot: true,
      version: 102n,
      upserts: [route('a.ns'), route('b.ns')],
      removes: [],
    });
  });

  it('sends a snapshot, then what changed', async () => {
    const table = new RouteTable();
    table.set(route('a.ns'));
    table.open();
    const subscription = table.subscribe();
    expect(await subscription.next(signal)).toMatchObject({ snapshot: true, version: 1n });
    table.set(route('b.ns'));
    expect(await subscription.next(signal)).toEqual({
      snapshot: false,
      version: 2n,
      upserts: [route('b.ns')],
      removes: [],
    });
    table.remove('a.ns');
    expect(await subscription.next(signal)).toEqual({ snapshot: false, version: 3n, upserts: [], removes: ['a.ns'] });
  });

  it('wakes a subscriber that waits', async () => {
    const table = new RouteTable();
    table.open();
    const subscription = table.subscribe();
    await subscription.next(signal);
    const next = subscription.next(signal);
    table.set(route('a.ns'));
    expect(await next).toMatchObject({ version: 1n, upserts: [route('a.ns')] });
  });

  it('gives a slow subscriber the last state of each route in one delta', async () => {
    const table = new RouteTable();
    table.open();
    const subscription = table.subscribe();
    await subscription.next(signal);
    for (let round = 0; round < 1_000; round += 1) {
      table.set(route('a.ns', { wantedReplicas: round }));
    }
    table.set(route('b.ns'));
    table.remove('b.ns');
    expect(await subscription.next(signal)).toEqual({
      snapshot: false,
      version: 1_002n,
      upserts: [route('a.ns', { wantedReplicas: 999 })],
      removes: ['b.ns'],
    });
  });

  it('does not count a change that gateways would not see', () => {
    const table = new RouteTable();
    const first = table.set(route('a.ns'));
    expect(table.set(route('a.ns'))).toBe(first);
    expect(table.remove('never.ns')).toBe(first);
    expect(table.set(route('a.ns', { timeoutMs: 1 }))).toBe(first + 1n);
  });

  it('does not go back in versions', () => {
    const table = new RouteTable();
    table.startAbove(50n);
    table.startAbove(10n);
    expect(table.set(route('a.ns'))).toBe(51n);
  });

  it('does not miss a change between a snapshot and the wait for the next', async () => {
    const table = new RouteTable();
    table.open();
    const subscription = table.subscribe();
    table.set(route('a.ns'));
    expect(await subscription.next(signal)).toMatchObject({ snapshot: true, upserts: [route('a.ns')] });
    table.set(route('c.ns'));
    expect(await subscription.next(signal)).toMatchObject({ snapshot: false, upserts: [route('c.ns')] });
  });

  it('ends a wait when the caller is gone', async () => {
    const table = new RouteTable();
    const subscription = table.subscribe();
    const gone = new AbortController();
    const beforeOpen = subscription.next(gone.signal);
    gone.abort(new Error('gone'));
    await expect(beforeOpen).rejects.toThrow('gone');
    table.open();
    await subscription.next(signal);
    const later = new AbortController();
    const waiting = subscription.next(later.signal);
    later.abort(new Error('gone too'));
    await expect(waiting).rejects.toThrow('gone too');
    subscription.close();
  });
});
