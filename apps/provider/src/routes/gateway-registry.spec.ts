// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../platform/clock.fixture.js';
import { GatewayRegistry } from './gateway-registry.js';

const ABSENCE_MS = 5_000;

describe('GatewayRegistry', () => {
  let clock: ManualClock;
  let gateways: GatewayRegistry;
  let changes: number;

  beforeEach(() => {
    clock = new ManualClock();
    gateways = new GatewayRegistry(ABSENCE_MS, clock);
    changes = 0;
    gateways.onChange(() => {
      changes += 1;
    });
  });

  const pastStart = (): void => clock.advance(ABSENCE_MS);

  it('releases nothing while gateways may still be on their way back to a new provider', () => {
    expect(gateways.isReleased('r', 0n)).toBe(false);
    pastStart();
    expect(changes).toBe(1);
    expect(gateways.isReleased('r', 0n)).toBe(true);
  });

  it('waits until each gateway has applied the routes', () => {
    pastStart();
    gateways.connect('g1');
    gateways.connect('g2');
    expect(gateways.isReleased('r', 10n)).toBe(false);
    gateways.report('g1', 10n, []);
    expect(gateways.isReleased('r', 10n)).toBe(false);
    gateways.report('g2', 11n, []);
    expect(gateways.isReleased('r', 10n)).toBe(true);
    expect(gateways.isReleased('r', 11n)).toBe(false);
  });

  it('waits until nothing is in flight', () => {
    pastStart();
    gateways.connect('g');
    gateways.report('g', 10n, ['r', 's']);
    expect(gateways.isReleased('r', 10n)).toBe(false);
    gateways.report('g', 10n, ['s']);
    expect(gateways.isReleased('r', 10n)).toBe(true);
    expect(gateways.isReleased('s', 10n)).toBe(false);
  });

  it('does not take an older report for a newer one', () => {
    pastStart();
    gateways.connect('g');
    gateways.report('g', 11n, ['r']);
    gateways.report('g', 10n, []);
    expect(gateways.isReleased('r', 10n)).toBe(false);
  });

  it('counts a gateway whose stream broke for a while, then forgets it', () => {
    pastStart();
    const disconnect = gateways.connect('g');
    disconnect();
    disconnect();
    expect(gateways.connected()).toEqual([]);
    expect(gateways.isReleased('r', 1n)).toBe(false);
    clock.advance(ABSENCE_MS - 1);
    expect(gateways.isReleased('r', 1n)).toBe(false);
    const before = changes;
    clock.advance(1);
    expect(changes).toBe(before + 1);
    expect(gateways.isReleased('r', 1n)).toBe(true);
  });

  it('keeps a gateway that came back in time', () => {
    pastStart();
    gateways.connect('g')();
    clock.advance(1_000);
    gateways.connect('g');
    clock.advance(ABSENCE_MS * 2);
    expect(gateways.connected()).toEqual(['g']);
    expect(gateways.isReleased('r', 1n)).toBe(false);
  });

  it('counts the streams of a gateway that reconnects before the old stream is seen to end', () => {
    pastStart();
    const old = gateways.connect('g');
    gateways.connect('g');
    old();
    clock.advance(ABSENCE_MS * 2);
    expect(gateways.connected()).toEqual(['g']);
  });

  it('takes no word from a gateway without a stream', () => {
    expect(gateways.report('stranger', 1n, [])).toBe(false);
    gateways.connect('g')();
    expect(gateways.report('g', 1n, [])).toBe(false);
  });
});
