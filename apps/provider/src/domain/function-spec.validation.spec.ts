// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import { describeFaults, validateFunctionSpec } from './function-spec.validation.js';

function spec(more: Partial<functionV1.FunctionSpec> = {}): functionV1.FunctionSpec {
  return { ...functionV1.FunctionSpec.create({ name: 'aes', namespace: 'openfaas-fn', image: 'aes:latest' }), ...more };
}

function faultsOf(more: Partial<functionV1.FunctionSpec>): string[] {
  return validateFunctionSpec(spec(more)).map(({ field }) => field);
}

describe('validateFunctionSpec', () => {
  it('takes a spec with every field', () => {
    const full = spec({
      envProcess: 'python index.py',
      envVars: { entries: { A: '', b_c: 'ü', grace_period: '5s', max_inflight: 'anything' } },
      constraints: { items: ['node.platform.os == linux'] },
      secrets: { items: ['api-key', 'a.b_c'] },
      labels: { entries: { 'com.openfaas.scale.min': '2', 'com.openfaas.scale.max': '5', other: 'x' } },
      annotations: { entries: { topic: 'cron', schedule: '*/5 * * * *' } },
      limits: { quantities: { memory: '128Mi', cpu: '500m', 'nvidia.com/gpu': '1' } },
      requests: { quantities: { memory: '0', cpu: '0.1' } },
      readOnlyRootFilesystem: true,
    });
    expect(validateFunctionSpec(full)).toEqual([]);
  });

  it.each(['a', 'A', '9', 'a-b_c.d', 'a-', 'x'.repeat(63)])('takes the name %s', (name) => {
    expect(faultsOf({ name })).toEqual([]);
  });

  it.each(['', '-a', '.a', '_a', 'a b', 'a/b', 'a:b', 'ä', 'a\n', 'x'.repeat(64)])('refuses the name %j', (name) => {
    expect(faultsOf({ name })).toEqual(['service']);
  });

  it.each(['', 'A', 'a.b', '-a', 'a-', 'a_b', 'x'.repeat(64)])('refuses the namespace %j', (namespace) => {
    expect(faultsOf({ namespace })).toEqual(['namespace']);
  });

  it.each([
    [{ image: '' }, 'image'],
    [{ image: 'NOT AN IMAGE' }, 'image'],
    [{ envProcess: 'a\0b' }, 'envProcess'],
    [{ envVars: { entries: { '': 'x' } } }, 'envVars'],
    [{ envVars: { entries: { 'a=b': 'x' } } }, 'envVars'],
    [{ envVars: { entries: { A: 'x\0' } } }, 'envVars.A'],
    [{ envVars: { entries: { A: 'x'.repeat(131_072) } } }, 'envVars.A'],
    [{ envVars: { entries: { grace_period: 'soon' } } }, 'envVars.grace_period'],
    [{ labels: { entries: { '': 'x' } } }, 'labels'],
    [{ annotations: { entries: { a: '\0' } } }, 'annotations.a'],
    [{ limits: { quantities: { memory: 'lots' } } }, 'limits.memory'],
    [{ limits: { quantities: { memory: '-1' } } }, 'limits.memory'],
    [{ limits: { quantities: { memory: '1Mi' } } }, 'limits.memory'],
    [{ limits: { quantities: { cpu: '1m' } } }, 'limits.cpu'],
    [{ limits: { quantities: { cpu: '1 core' } } }, 'limits.cpu'],
    [{ limits: { quantities: { cpu: '5000' } } }, 'limits.cpu'],
    [{ limits: { quantities: { 'nvidia.com/gpu': '-1' } } }, 'limits.nvidia.com/gpu'],
    [{ requests: { quantities: { memory: '10MB' } } }, 'requests.memory'],
    [{ requests: { quantities: { cpu: '' } } }, 'requests.cpu'],
    [{ constraints: { items: ['a\0'] } }, 'constraints'],
    [{ secrets: { items: ['../etc/passwd'] } }, 'secrets'],
    [{ secrets: { items: ['..'] } }, 'secrets'],
    [{ secrets: { items: [''] } }, 'secrets'],
    [{ labels: { entries: { 'com.openfaas.scale.min': '-1' } } }, 'labels.com.openfaas.scale.min'],
    [{ labels: { entries: { 'com.openfaas.scale.max': '0' } } }, 'labels.com.openfaas.scale.max'],
    [
      { labels: { entries: { 'com.openfaas.scale.min': '30', 'com.openfaas.scale.max': '20' } } },
      'labels.com.openfaas.scale.min',
    ],
    [{ labels: { entries: { 'com.openfaas.scale.factor': '101' } } }, 'labels.com.openfaas.scale.factor'],
    [{ labels: { entries: { 'com.openfaas.scale.type': 'magic' } } }, 'labels.com.openfaas.scale.type'],
    [{ labels: { entries: { 'com.openfaas.scale.target': '0' } } }, 'labels.com.openfaas.scale.target'],
    [
      { labels: { entries: { 'com.openfaas.scale.target-proportion': '1.1' } } },
      'labels.com.openfaas.scale.target-proportion',
    ],
    [{ labels: { entries: { 'com.openfaas.scale.zero': 'yes' } } }, 'labels.com.openfaas.scale.zero'],
    [{ labels: { entries: { 'com.openfaas.scale.zero-duration': '15x' } } }, 'labels.com.openfaas.scale.zero-duration'],
    [{ labels: { entries: { 'com.openfaas.timeout': '0' } } }, 'labels.com.openfaas.timeout'],
    [{ annotations: { entries: { 'com.openfaas.timeout': 'never' } } }, 'annotations.com.openfaas.timeout'],
    [{ annotations: { entries: { 'com.openfaas.port': '70000' } } }, 'annotations.com.openfaas.port'],
    [{ annotations: { entries: { 'com.openfaas.max_inflight': '1.5' } } }, 'annotations.com.openfaas.max_inflight'],
    [
      { annotations: { entries: { 'com.openfaas.ready.http.path': 'ready' } } },
      'annotations.com.openfaas.ready.http.path',
    ],
  ])('names the fault in %j', (more, field) => {
    expect(faultsOf(more)).toEqual([field]);
  });

  it('names all faults at once', () => {
    const faults = validateFunctionSpec(
      spec({
        name: '-',
        namespace: 'A',
        image: '',
        limits: { quantities: { memory: 'x', cpu: 'y' } },
        secrets: { items: ['a/b', '..'] },
        labels: { entries: { 'com.openfaas.scale.min': 'x', 'com.openfaas.timeout': 'y' } },
      }),
    );
    expect(faults.map(({ field }) => field)).toEqual([
      'service',
      'namespace',
      'image',
      'limits.memory',
      'limits.cpu',
      'secrets',
      'secrets',
      'labels.com.openfaas.scale.min',
      'labels.com.openfaas.timeout',
    ]);
    expect(describeFaults(faults)).toContain('\nimage is missing\nlimits.memory "x" is not a quantity');
  });

  it('bounds the number of entries and the size of the whole', () => {
    const many = Object.fromEntries(Array.from({ length: 1_025 }, (_, index) => [`k${index}`, '']));
    expect(faultsOf({ labels: { entries: many } })).toEqual(['labels']);
    const large = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`k${index}`, 'x'.repeat(120_000)]));
    expect(faultsOf({ annotations: { entries: large } })).toEqual(['spec']);
  });

  it('shortens what it quotes', () => {
    const [fault] = validateFunctionSpec(spec({ name: '!'.repeat(10_000) }));
    expect(fault?.message.length).toBeLessThan(300);
  });
});
