// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { instanceV1 } from '@junctiond/contracts';
import { replicaOf } from './replica.js';

const { InstanceState } = instanceV1;

function instance(more: Partial<instanceV1.Instance>): instanceV1.Instance {
  return {
    ...instanceV1.Instance.create({
      spec: {
        id: 'aes-1',
        servicePort: 9_000,
        labels: { namespace: 'ns', function: 'aes', generation: '3', 'managed-by': 'provider' },
      },
      ports: [
        { guestPort: 8080, host: '127.0.0.1', hostPort: 1 },
        { guestPort: 9_000, host: '127.0.0.1', hostPort: 2 },
      ],
    }),
    ...more,
  };
}

describe('replicaOf', () => {
  it('takes the address of the service port', () => {
    const replica = replicaOf(
      instance({
        state: InstanceState.INSTANCE_STATE_READY,
        createdAt: new Date(5),
        readyAt: new Date(6),
        restarts: 2,
      }),
    );
    expect(replica).toEqual({
      id: 'aes-1',
      function: { namespace: 'ns', name: 'aes' },
      generation: 3,
      phase: 'ready',
      endpoint: { host: '127.0.0.1', port: 2, linkPath: '', instanceNumber: 0 },
      reason: '',
      createdAtMs: 5,
      wasReady: true,
      restarts: 2,
    });
  });

  it('knows where its links are, and how it ended last', () => {
    const replica = replicaOf(
      instance({
        state: InstanceState.INSTANCE_STATE_READY,
        ports: [{ guestPort: 9_000, host: '10.62.0.5', hostPort: 9_000 }],
        linksPath: '/run/s/links/aes-1',
        number: 7,
        lastFailure: { reason: 'exited with code 1', at: new Date(7) },
      }),
    );
    expect(replica).toMatchObject({
      endpoint: { host: '10.62.0.5', port: 9_000, linkPath: '/run/s/links/aes-1', instanceNumber: 7 },
      lastFailure: { reason: 'exited with code 1', atMs: 7 },
    });
  });

  it('takes port 8080 where the spec leaves it to the default', () => {
    const spec = instanceV1.InstanceSpec.create({ id: 'x' });
    expect(replicaOf(instance({ spec, state: InstanceState.INSTANCE_STATE_READY }))?.endpoint?.port).toBe(1);
  });

  it('does not call an instance ready whose service port is not published', () => {
    const replica = replicaOf(instance({ state: InstanceState.INSTANCE_STATE_READY, ports: [] }));
    expect(replica).toMatchObject({ phase: 'starting', endpoint: undefined });
  });

  it.each([
    [InstanceState.INSTANCE_STATE_CREATED, 'starting'],
    [InstanceState.INSTANCE_STATE_STARTING, 'starting'],
    [InstanceState.INSTANCE_STATE_STOPPING, 'stopping'],
    [InstanceState.INSTANCE_STATE_BACKING_OFF, 'restarting'],
    [InstanceState.INSTANCE_STATE_EXITED, 'exited'],
    [InstanceState.INSTANCE_STATE_FAILED, 'failed'],
    [InstanceState.INSTANCE_STATE_UNSPECIFIED, 'failed'],
  ] as const)('reads state %d as %s, without an address', (state, phase) => {
    expect(replicaOf(instance({ state, reason: 'why' }))).toMatchObject({ phase, endpoint: undefined, reason: 'why' });
  });

  it.each([
    ['served in the run that ended', new Date(10), new Date(20), true],
    ['served in an earlier run only', new Date(20), new Date(10), false],
    ['never served', new Date(10), undefined, false],
  ])('knows of a restarting one that it %s', (_what, startedAt, readyAt, wasReady) => {
    const state = InstanceState.INSTANCE_STATE_BACKING_OFF;
    expect(replicaOf(instance({ state, startedAt, readyAt }))?.wasReady).toBe(wasReady);
  });

  it('has nothing to say of an instance without a spec', () => {
    expect(replicaOf(instance({ spec: undefined }))).toBeUndefined();
  });
});
