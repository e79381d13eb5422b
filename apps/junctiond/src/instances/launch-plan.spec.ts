// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { networkFixture, recordFixture } from './instance-record.fixture.js';
import { placesOf } from './instance-places.js';
import { type LaunchSettings, planLaunch, planUproc } from './launch-plan.js';

const settings: LaunchSettings = {
  network: networkFixture(),
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

  it('begins with the empty mount namespace where there is one', () => {
    const { args } = planLaunch(recordFixture(), { ...context, mntnsFile: '/run/s/mntns' }, settings);
    expect(args[args.indexOf('--mntns') + 1]).toBe('/run/s/mntns');
    expect(planLaunch(recordFixture(), context, settings).args).not.toContain('--mntns');
  });

  it('names patch plans where the image has them', () => {
    const { args } = planLaunch(recordFixture(), { ...context, plansDir: '/plans' }, settings);
    expect(args[args.indexOf('--plan_dir') + 1]).toBe('/plans');
  });

  it('asks for a NIC with its addresses, links and resolvers where the node gives them', () => {
    const nic = { linksDir: '/run/s/links', links: 3, spinningKthreads: 1 };
    const plain = recordFixture({ slot: 3 });
    const record = { ...plain, spec: { ...plain.spec, hosts: { gateway: 'host' } } };
    const plan = planLaunch(
      record,
      { ...context, netnsFile: '/run/s/netns' },
      { ...settings, network: networkFixture({ nic }) },
    );
    expect(plan.args.join(' ')).toContain(
      ' --host gateway=10.62.0.1 --links 3 --links_path /run/s/links/fn-1 --netns /run/s/netns ' +
        '--resolv_conf /run/s/instances/fn-1/resolv.conf --instance_dir ',
    );
    expect(plan.config).toBe(
      'host_addr 10.62.0.5\nhost_netmask 255.255.0.0\nhost_gateway 10.62.0.1\nhost_mtu 1500\n' +
        'host_addr6 fd12:3456:789a::5\nhost_prefix6 64\nhost_gateway6 fd12:3456:789a::1\nhost_mac 02:6a:0a:3e:00:05\n' +
        'runtime_kthreads 2\nruntime_spinning_kthreads 1\nruntime_guaranteed_kthreads 0\nruntime_priority lc\n',
    );
  });

  it("asks for none on the host's network", () => {
    const { args, config } = planLaunch(recordFixture(), { ...context, netnsFile: '/run/s/netns' }, settings);
    expect(args).not.toContain('--links');
    expect(args).not.toContain('--netns');
    expect(args).not.toContain('--resolv_conf');
    expect(config).not.toContain('host_addr6');
  });

  it('keeps values out of the command line', () => {
    const plan = planLaunch(recordFixture(), context, settings);
    expect(plan.args).not.toContain('two words');
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
