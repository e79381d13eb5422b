// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { listenHost, networkOf, resolveHosts } from './instance-network.js';
import { networkFixture, recordFixture } from './instance-record.fixture.js';

const settings = networkFixture();
const withNic = networkFixture({ nic: { linksDir: '/run/s/links', links: 2, spinningKthreads: 1 } });

describe('networkOf', () => {
  it('follows from the slot', () => {
    expect(networkOf(recordFixture({ slot: 3 }), settings)).toEqual({
      ip: '10.62.0.5',
      ip6: 'fd12:3456:789a::5',
      mac: '02:6a:0a:3e:00:05',
      queuePairs: 2,
      linksPath: '',
      number: 0,
    });
    expect(networkOf(recordFixture({ slot: 3 }), withNic)).toMatchObject({ linksPath: '/run/s/links/fn-1', number: 4 });
  });

  it('stays that of the run that goes on, whatever is configured now', () => {
    const network = networkOf(recordFixture({ slot: 3 }), withNic);
    const running = recordFixture({ slot: 3, state: 'ready', network });
    expect(networkOf(running, settings)).toEqual(network);
    expect(networkOf({ ...running, state: 'backingOff' }, settings).linksPath).toBe('');
    // Started by a junctiond that knew of no NICs.
    expect(networkOf(recordFixture({ slot: 3, state: 'ready' }), withNic).linksPath).toBe('');
  });

  it('has a socket whose path fits into an address, different for each id', () => {
    const linksDir = `/tmp/${'x'.repeat(60)}`;
    const paths = ['a', 'b'].map((last) => {
      const { spec } = recordFixture();
      const record = recordFixture({ spec: { ...spec, id: 'i'.repeat(62) + last } });
      return networkOf(record, networkFixture({ nic: { linksDir, links: 1, spinningKthreads: 0 } })).linksPath;
    });
    expect(new Set(paths).size).toBe(2);
    expect(paths.every((path) => path.length <= 107 && path.startsWith(`${linksDir}/`))).toBe(true);
  });
});

describe('listenHost and resolveHosts', () => {
  it("are the host's loopback without a NIC", () => {
    const network = networkOf(recordFixture({ slot: 3 }), settings);
    expect(listenHost(network)).toBe('127.0.0.1');
    expect(resolveHosts({ gateway: 'host', other: '192.0.2.1' }, network, settings.range)).toEqual([
      ['gateway', '127.0.0.2'],
      ['other', '192.0.2.1'],
    ]);
  });

  it('are the addresses of instance and uplink with one', () => {
    const network = networkOf(recordFixture({ slot: 3 }), withNic);
    expect(listenHost(network)).toBe('10.62.0.5');
    expect(resolveHosts({ gateway: 'host' }, network, withNic.range)).toEqual([['gateway', '10.62.0.1']]);
  });
});
