// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { cgroupDirs, findCgroups } from './cgroup-tree.js';

const hybrid = `24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpuacct
33 30 0:29 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 30 0:30 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
35 30 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
36 30 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;

describe('findCgroups', () => {
  it('finds version 1 hierarchies beside an empty version 2', () => {
    expect(findCgroups(hybrid, () => '\n')).toEqual({
      v1: {
        cpu: '/sys/fs/cgroup/cpu',
        cpuacct: '/sys/fs/cgroup/cpuacct',
        memory: '/sys/fs/cgroup/memory',
        pids: '/sys/fs/cgroup/pids',
      },
      v2: '/sys/fs/cgroup/unified',
      v2Controllers: [],
    });
  });

  it('finds the controllers of version 2 alone', () => {
    const tree = findCgroups('30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n', (mountPoint) => {
      expect(mountPoint).toBe('/sys/fs/cgroup');
      return 'cpuset cpu io memory hugetlb pids rdma misc\n';
    });
    expect(tree).toEqual({ v1: {}, v2: '/sys/fs/cgroup', v2Controllers: ['memory', 'pids', 'cpu'] });
  });

  it('knows hierarchies that several controllers share, and escaped paths', () => {
    const tree = findCgroups('31 30 0:27 / /sys/a\\040b rw - cgroup cgroup rw,cpu,cpuacct\n', () => '');
    expect(tree.v1).toEqual({ cpu: '/sys/a b', cpuacct: '/sys/a b' });
    expect(cgroupDirs(tree, 'x/y')).toEqual(['/sys/a b/x/y']);
  });

  it('is empty where there is nothing', () => {
    expect(findCgroups('24 1 254:0 / / rw - ext4 /dev/vda rw\n', () => 'memory')).toEqual({
      v1: {},
      v2Controllers: [],
    });
  });
});
