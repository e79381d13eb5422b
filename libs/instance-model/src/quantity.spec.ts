// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { parseCpuMillicores, parseMemoryBytes, parseQuantity, quantityMillis, quantityUnits } from './quantity.js';

const units = (text: string): bigint | string => {
  const parsed = parseQuantity(text);
  return parsed.ok ? quantityUnits(parsed.value) : parsed.error;
};
const millis = (text: string): bigint | string => {
  const parsed = parseQuantity(text);
  return parsed.ok ? quantityMillis(parsed.value) : parsed.error;
};

describe('parseQuantity', () => {
  it.each([
    ['0', 0n],
    ['128Mi', 134_217_728n],
    ['1Ki', 1024n],
    ['1.5Gi', 1_610_612_736n],
    ['0.5Ki', 512n],
    ['1k', 1000n],
    ['129M', 129_000_000n],
    ['1E', 10n ** 18n],
    ['1e3', 1000n],
    ['1E3', 1000n],
    ['12e-1', 2n],
    ['1.e2', 100n],
    ['.5e1', 5n],
    ['+5', 5n],
    ['128974848000m', 128_974_848n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['7Ei', 7n * 2n ** 60n],
  ])('reads %s as %s units', (text, expected) => {
    expect(units(text)).toBe(expected);
  });

  it.each([
    ['0.5', 500n],
    ['500m', 500n],
    ['2', 2000n],
    ['0.1', 100n],
    ['100u', 1n],
    ['1n', 1n],
    ['.25', 250n],
    ['1.0005', 1001n],
  ])('reads %s as %s thousandths', (text, expected) => {
    expect(millis(text)).toBe(expected);
  });

  it('rounds up, away from zero, and never loses a digit before that', () => {
    expect(units('0.1')).toBe(1n);
    expect(units('-0.1')).toBe(-1n);
    expect(parseQuantity('0.1000000001')).toEqual({ ok: true, value: { nanos: 100_000_001n } });
    expect(parseQuantity('9007199254740993')).toEqual({
      ok: true,
      value: { nanos: 9_007_199_254_740_993n * 10n ** 9n },
    });
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '1 Mi',
    'Mi',
    '.',
    '1.2.3',
    '--1',
    '1MiB',
    '1mi',
    '1K',
    '1ki',
    '1e',
    '1e1.5',
    '1e+',
    '0x10',
    '١',
    'NaN',
    'Infinity',
    '1\n',
    '9223372036854775808',
    '8Ei',
    '1e999999999',
    '1'.repeat(65),
  ])('refuses %j with a reason', (text) => {
    const parsed = parseQuantity(text);
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? '' : parsed.error).not.toBe('');
  });
});

describe('parseMemoryBytes and parseCpuMillicores', () => {
  it('answer whole bytes and millicores', () => {
    expect(parseMemoryBytes('64Mi')).toEqual({ ok: true, value: 67_108_864n });
    expect(parseCpuMillicores('0.25')).toEqual({ ok: true, value: 250n });
  });

  it('refuse what is negative', () => {
    expect(parseMemoryBytes('-1Mi')).toEqual({ ok: false, error: '"-1Mi" is negative' });
    expect(parseCpuMillicores('-100m').ok).toBe(false);
  });
});
