// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { instanceResolvConf } from './resolv-conf.js';

const uplink = '10.62.0.1';

describe('instanceResolvConf', () => {
  it("keeps the host's resolvers, search list and options", () => {
    const text =
      '# made by hand\nsearch example.com\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:2\nsortlist x\n';
    expect(instanceResolvConf(text, uplink)).toBe(
      'nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.com\noptions ndots:2\n',
    );
  });

  it.each(['127.0.0.53', '127.0.0.1', '::1', '0.0.0.0', '169.254.1.1', 'fe80::1%eth0', 'fe80::1', '::ffff:127.0.0.1'])(
    'puts the uplink in the place of %s',
    (server) => {
      expect(instanceResolvConf(`nameserver ${server}\n`, uplink)).toBe('nameserver 10.62.0.1\n');
    },
  );

  it('names each once, and no more than libc asks', () => {
    const text = ['127.0.0.1', '127.0.0.2', '192.0.2.1', '192.0.2.2', '192.0.2.3']
      .map((server) => `nameserver ${server}\n`)
      .join('');
    expect(instanceResolvConf(text, uplink)).toBe('nameserver 10.62.0.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n');
  });

  it('asks the uplink where the host names none', () => {
    expect(instanceResolvConf('', uplink)).toBe('nameserver 10.62.0.1\n');
  });
});
