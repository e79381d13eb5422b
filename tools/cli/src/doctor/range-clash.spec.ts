// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { clashesWith, routes4, routes6 } from './range-clash.ts';

const route = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
jn-junction\t00003E0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
`;
const route6 = `fd123456789a00000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 docker0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fd123456789a00000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000001 00000000 80200001       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

describe('routes4 and routes6', () => {
  it('read networks, and leave default and multicast routes out', () => {
    expect(routes4(route).map(({ text, device }) => `${text} ${device}`)).toEqual([
      '172.17.0.0/16 eth0',
      '10.62.0.0/16 jn-junction',
      '10.0.0.0/8 tun0',
    ]);
    expect(routes6(route6).map(({ text, device }) => `${text} ${device}`)).toEqual([
      'fd12:3456:789a::/64 docker0',
      'fe80::/64 eth0',
    ]);
  });

  it('take nothing out of other texts', () => {
    expect(routes4('')).toEqual([]);
    expect(routes6('nonsense\n\n')).toEqual([]);
  });
});

describe('clashesWith', () => {
  const networks = [...routes4(route), ...routes6(route6)];
  const found = (range: string, device: string): string[] =>
    clashesWith(range, device, networks).map(({ text }) => text);

  it('finds a wider, the same and a narrower network', () => {
    expect(found('10.62.0.0/16', 'jn-other')).toEqual(['10.62.0.0/16', '10.0.0.0/8']);
    expect(found('172.16.0.0/12', 'jn-other')).toEqual(['172.17.0.0/16']);
    expect(found('fd12:3456:789a::/64', 'jn-other')).toEqual(['fd12:3456:789a::/64']);
  });

  it("does not count the device's own, nor neighbours", () => {
    expect(found('10.62.0.0/16', 'jn-junction')).toEqual(['10.0.0.0/8']);
    expect(found('172.18.0.0/16', 'jn-other')).toEqual([]);
    expect(found('fd12:3456:789b::/64', 'jn-other')).toEqual([]);
  });
});
