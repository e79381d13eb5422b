// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { functionV1, instanceV1 } from '@junctiond/contracts';
import type { FunctionRecord } from '@junctiond/function-state';
import { readFunctionSettings } from './function-settings.js';
import { makeInstanceId } from './instance-id.js';
import { instanceSpecOf } from './instance-template.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function instanceOf(more: Partial<functionV1.FunctionSpec>, name = 'aes'): instanceV1.InstanceSpec {
  const spec = { ...functionV1.FunctionSpec.create({ name, namespace: 'ns', image: 'aes:1' }), ...more };
  const record: FunctionRecord = {
    namespace: 'ns',
    name,
    spec,
    generation: 12,
    wantedReplicas: 1,
    imageDigest: DIGEST,
    createdAtMs: 0,
    updatedAtMs: 0,
  };
  return instanceSpecOf(record, readFunctionSettings(spec, []), {
    id: 'aes-1',
    secrets: { key: Buffer.from('v') },
    hosts: { gateway: 'host' },
  });
}

describe('instanceSpecOf', () => {
  it('asks for what the function needs and leaves the rest to the node', () => {
    expect(instanceOf({})).toEqual({
      ...instanceV1.InstanceSpec.create(),
      id: 'aes-1',
      image: `aes:1@${DIGEST}`,
      hostname: 'aes',
      uproc: instanceV1.Uproc.create({ env: { OPENFAAS_NAME: 'aes', OPENFAAS_NAMESPACE: 'ns' } }),
      servicePort: 8080,
      gracePeriodMs: 30_000,
      secrets: { key: Buffer.from('v') },
      hosts: { gateway: 'host' },
      restart: instanceV1.RestartPolicy.RESTART_POLICY_ALWAYS,
      labels: { 'managed-by': 'provider', namespace: 'ns', function: 'aes', generation: '12' },
    });
  });

  it('passes the environment on, with envProcess as fprocess', () => {
    const envVars = { entries: { A: '1', OPENFAAS_NAME: 'liar', fprocess: 'old' } };
    expect(instanceOf({ envVars, envProcess: 'cat' }).uproc?.env).toEqual({
      A: '1',
      fprocess: 'cat',
      OPENFAAS_NAME: 'aes',
      OPENFAAS_NAMESPACE: 'ns',
    });
  });

  it('leaves the fprocess of the image alone when envProcess is empty', () => {
    expect(instanceOf({ envProcess: '' }).uproc?.env).not.toHaveProperty('fprocess');
  });

  it.each([
    ['500m', 1, 500n],
    ['1', 1, 1_000n],
    ['1.5', 2, 1_500n],
    ['2', 2, 2_000n],
    ['2001m', 3, 2_001n],
  ])('turns a cpu limit of %s into %d cores and a bandwidth', (cpu, coreLimit, cpuLimitMillicores) => {
    expect(instanceOf({ limits: { quantities: { cpu } } })).toMatchObject({ coreLimit, cpuLimitMillicores });
  });

  it('turns a memory limit into bytes', () => {
    expect(instanceOf({ limits: { quantities: { memory: '128Mi' } } }).memoryLimitBytes).toBe(134_217_728n);
  });

  it('passes port, grace period and the read-only root on', () => {
    const spec = instanceOf({
      annotations: { entries: { 'com.openfaas.port': '9000' } },
      envVars: { entries: { grace_period: '5s' } },
      readOnlyRootFilesystem: true,
    });
    expect(spec).toMatchObject({ servicePort: 9_000, gracePeriodMs: 5_000, readOnlyRoot: true });
  });

  it('makes a host name of a name that ends in none', () => {
    expect(instanceOf({}, 'a.b_-').hostname).toBe('a.b');
  });
});

describe('makeInstanceId', () => {
  const VALID = /^[a-z0-9][a-z0-9-]{0,62}$/;

  it('shows the name and adds eight random characters', () => {
    expect(makeInstanceId('aes', () => 0)).toBe('aes-aaaaaaaa');
    expect(makeInstanceId('aes', (bound) => bound - 1)).toBe('aes-99999999');
  });

  it.each(['A_b.C', 'x'.repeat(63), '9', 'a-'])('makes a valid id of %s', (name) => {
    expect(makeInstanceId(name, () => 1)).toMatch(VALID);
  });
});
