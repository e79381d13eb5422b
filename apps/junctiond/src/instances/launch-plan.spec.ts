// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { parseAddressRange } from '@junctiond/instance-model';

import { recordFixture } from './instance-record.fixture.js';
import { placesOf } from './instance-places.js';
import { type LaunchSettings, networkOf, planLaunch, planUproc } from './launch-plan.js';

const range = parseAddressRange('10.62.0.0/16');
if (!range.ok) throw new Error(range.error);
const settings: LaunchSettings = {
  range: range.value,
  uidBase: 0x1000_0000,
  notifySocket: '/run/s/junctiond-events.sock',
  logMaxBytes: 8_388_608,
  mtu: 1500,
};
const context = {
  places: placesOf('fn-1', { instancesDir: '/state/instances', runDir: '/run/s' }),
  rootfsDir: '/state/images/x/rootfs',
  secretsDir: '/run/s/secrets-of/fn-1',
  cgroupDirs: ['/cg/memory/s/fn-1', '/cg/pids/s/fn-1'],
};

describe('planLaunch', () => {
  it('says everything that junction_run must know', () => {
    const plan = planLaunch(recordFixture({ slot: 3 }), context, settings);
    expect(plan.args.join(' ')).toBe(
      '/run/s/instances/fn-1/config --name fn-1 --hostname fn --chroot_path /state/images/x/rootfs ' +
        '--env_file /run/s/instances/fn-1/env --uid 1000 --gid 100 --uid_base 268632064 --cwd /app ' +
        '--instance_dir /state/instances/fn-1 --control /run/s/instances/fn-1/control ' +
        '--notify /run/s/junctiond-events.sock --cgroup /cg/memory/s/fn-1 --cgroup /cg/pids/s/fn-1 ' +
        '--log_max_bytes 8388608 -- /server --flag',
    );
    expect(plan.env).toBe('A=1\0B=two words\0');
    expect(plan.config).toContain('host_addr 10.62.0.5\n');
    expect(plan.config).toContain('runtime_kthreads 2\n');
  });

  it('names secrets, hosts and a read-only root only where there are any', () => {
    const plain = recordFixture();
    const record = {
      ...plain,
      hasSecrets: true,
      spec: { ...plain.spec, readOnlyRoot: true, hosts: { gateway: '127.0.0.2' } },
    };
    const { args } = planLaunch(record, context, settings);
    expect(args).toContain('--read_only_root');
    expect(args).toContain('/run/s/secrets-of/fn-1:/var/openfaas/secrets:ro');
    expect(args).toContain('gateway=127.0.0.2');
  });

  it('names patch plans where the image has them', () => {
    const { args } = planLaunch(recordFixture(), { ...context, plansDir: '/plans' }, settings);
    expect(args[args.indexOf('--plan_dir') + 1]).toBe('/plans');
  });

  it('keeps values out of the command line', () => {
    const plan = planLaunch(recordFixture(), context, settings);
    expect(plan.args).not.toContain('two words');
  });
});

describe('networkOf', () => {
  it('follows from the slot', () => {
    expect(networkOf(recordFixture({ slot: 3 }), settings.range)).toEqual({
      ip: '10.62.0.5',
      mac: '02:6a:0a:3e:00:05',
      queuePairs: 2,
    });
  });
});

describe('planUproc', () => {
  it('names the instance and keeps the environment out of the command line', () => {
    const { guest } = recordFixture();
    const files = { instanceDir: '/state/instances/fn-1', envFile: '/run/s/instances/fn-1/uproc-1.env' };
    const plan = planUproc('fn-1', guest, files, settings);
    expect(plan.args.join(' ')).toBe(
      '--add_to /state/instances/fn-1 --name fn-1 --notify /run/s/junctiond-events.sock ' +
        '--env_file /run/s/instances/fn-1/uproc-1.env --cwd /app -- /server --flag',
    );
    expect(plan.env).toBe('A=1\0B=two words\0');
  });
});
