// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { formatAddress, parseAddress } from './address.js';
import { formatBytes, parseBytes } from './bytes.js';
import { formatDuration, parseDuration } from './duration.js';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['500ms', 500],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1h2m3s4ms', 3_723_004],
  ])('reads and writes %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  });

  it.each(['', '10', '-1s', '1 s', 's', '1d', '1e3s', '9'.repeat(20) + 's'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('reads fractions', () => expect(parseDuration('0.25s')).toBe(250));
});

describe('bytes', () => {
  it.each([
    ['0', 0],
    ['1000', 1_000],
    ['64Ki', 65_536],
    ['8Mi', 8 * 2 ** 20],
    ['3Gi', 3 * 2 ** 30],
  ])('reads and writes %s', (text, size) => {
    expect(parseBytes(text)).toBe(size);
    expect(formatBytes(size)).toBe(text);
  });

  it('reads decimal units', () =>
    expect([parseBytes('1k'), parseBytes('2M'), parseBytes('3G')]).toEqual([1e3, 2e6, 3e9]));

  it.each(['', '-1', '1.5Ki', '1KiB', '1 Ki', '999999999999999Gi'])('refuses %j', (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });
});

describe('addresses', () => {
  it.each(['unix:/run/a.sock', '127.0.0.1:80', 'host-1.example:65535', '[::1]:0'])('reads and writes %s', (text) => {
    const address = parseAddress(text);
    expect(typeof address).toBe('object');
    expect(formatAddress(address as Exclude<typeof address, string>)).toBe(text);
  });

  it.each(['', 'host', ':80', 'host:', 'host:65536', 'unix:', 'unix:a', '::1:80', 'http://host:80'])(
    'refuses %j',
    (text) => {
      expect(typeof parseAddress(text)).toBe('string');
    },
  );
});
