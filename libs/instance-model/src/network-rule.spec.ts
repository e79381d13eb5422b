// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { MAX_NETWORK_RULES, parseNetworkRule, parseNetworkRules } from './network-rule.js';

describe('parseNetworkRule', () => {
  it.each([
    ['10.0.0.0/8:443', '10.0.0.0/8', 443],
    ['10.1.2.3', '10.1.2.3/32', 0],
    ['10.1.2.3:80', '10.1.2.3/32', 80],
    ['0.0.0.0/0', '0.0.0.0/0', 0],
    ['[fd00::/8]:443', 'fd00::/8', 443],
    ['fd00::/8', 'fd00::/8', 0],
    ['[FD00:0:0::1]', 'fd00::1/128', 0],
    ['::1', '::1/128', 0],
  ])('%s', (text, to, port) => {
    expect(parseNetworkRule(text)).toEqual({ ok: true, value: { to, port } });
  });

  it.each([
    ['10.0.0.1/8', 'host bits'],
    ['fd00::1/64', 'host bits'],
    ['10.0.0.0/33', 'at most 32'],
    ['fd00::/129', 'at most 128'],
    ['10.0.0.0/8:0', 'port'],
    ['10.0.0.0/8:65536', 'port'],
    ['10.0.0.0/8:', 'is no address'],
    ['10.0.0/8', 'is no address'],
    ['10.0.0.256', 'is no address'],
    ['fe80::1%eth0', 'is no address'],
    ['example.com:443', 'is no address'],
    ['[10.0.0.0/8', 'is no address'],
    ['10.0.0.0/8/8', 'is no address'],
    ['', 'is no address'],
  ])('refuses %s', (text, fault) => {
    const result = parseNetworkRule(text);
    expect(result.ok ? '' : result.error).toContain(fault);
  });
});

describe('parseNetworkRules', () => {
  it('tells all faults at once', () => {
    const { rules, faults } = parseNetworkRules('10.0.0.0/8:443, nonsense, 10.0.0.1/8 ,fd00::/8');
    expect(rules).toEqual([
      { to: '10.0.0.0/8', port: 443 },
      { to: 'fd00::/8', port: 0 },
    ]);
    expect(faults).toHaveLength(2);
  });

  it('is bounded, and takes nothing for no rule', () => {
    const many = Array.from({ length: MAX_NETWORK_RULES + 1 }, () => '10.1.2.3').join(',');
    expect(parseNetworkRules(many).faults).toEqual([`at most ${MAX_NETWORK_RULES} destinations`]);
    expect(parseNetworkRules(' ,')).toEqual({ rules: [], faults: [] });
  });
});
