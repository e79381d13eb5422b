// SPDX-License-Identifier: Apache-2.0
import { parseAddressRange, parseAddressRange6, type Result } from '@junctiond/instance-model';

import type { NetworkSettings } from './instance-network.js';
import type { InstanceRecord } from './instance-record.js';

function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

/** A node's network for tests; on the host's network unless `change` says otherwise. */
export function networkFixture(change: Partial<NetworkSettings> & { readonly range4?: string } = {}): NetworkSettings {
  const { range4 = '10.62.0.0/16', ...rest } = change;
  return {
    range: valueOf(parseAddressRange(range4)),
    range6: valueOf(parseAddressRange6('fd12:3456:789a::/64')),
    ...rest,
  };
}

/** A record for tests. */
export function recordFixture(change: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    spec: {
      id: 'fn-1',
      image: 'oci:/srv/fn',
      hostname: 'fn',
      uproc: { args: [], env: {}, cwd: '', user: '' },
      coreLimit: 2,
      memoryLimitBytes: 134_217_728n,
      pidsLimit: 256,
      servicePort: 8080,
      readOnlyRoot: false,
      labels: { function: 'fn' },
      listenDeadlineMs: 60_000,
      gracePeriodMs: 30_000,
      cpuLimitMillicores: 0n,
      restart: 'always',
      hosts: {},
      allow: [],
    },
    slot: 0,
    imageDigest: `sha256:${'a'.repeat(64)}`,
    guest: { args: ['/server', '--flag'], env: { A: '1', B: 'two words' }, cwd: '/app', uid: 1000, gid: 100 },
    hasSecrets: false,
    createdAtMs: 1_700_000_000_000,
    state: 'created',
    reason: '',
    restarts: 0,
    failures: 0,
    ...change,
  };
}
