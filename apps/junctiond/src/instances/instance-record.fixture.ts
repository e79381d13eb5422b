// SPDX-License-Identifier: Apache-2.0
import type { InstanceRecord } from './instance-record.js';

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
