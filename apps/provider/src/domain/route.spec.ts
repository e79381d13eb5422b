// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import { functionKey, routeName } from './function-key.js';
import { planFunction } from './function-plan.js';
import { readFunctionSettings } from './function-settings.js';
import { functionMessageOf } from './function-status.js';
import { replica, view } from './plan.fixture.js';
import { isSameRoute, routeOf } from './route.js';
import { secretsRevisionOf } from './secrets-revision.js';

const SETTINGS = readFunctionSettings(functionV1.FunctionSpec.create(), []);

describe('routeOf', () => {
  const replicas = [
    replica('b', {
      endpoint: { host: '10.62.0.2', port: 8080, linkPath: '/run/s/links/b', instanceNumber: 7 },
      createdAtMs: 1,
    }),
    replica('a', { endpoint: { host: '127.0.0.1', port: 1, linkPath: '', instanceNumber: 0 }, createdAtMs: 2 }),
    replica('c', { phase: 'starting' }),
  ];
  const route = routeOf(
    { namespace: 'ns', name: 'f' },
    SETTINGS,
    1,
    planFunction(view(replicas, { replicas: 1 })),
    replicas,
  );

  it('lists serving and draining replicas with their addresses', () => {
    expect(route).toEqual({
      functionName: 'f.ns',
      replicas: [
        { id: 'b', host: '10.62.0.2', port: 8080, linkPath: '/run/s/links/b', instanceNumber: 7, draining: false },
        { id: 'a', host: '127.0.0.1', port: 1, linkPath: '', instanceNumber: 0, draining: true },
      ],
      timeoutMs: 60_000,
      maxInflight: 0,
      startsFromZero: true,
      wantedReplicas: 1,
      failure: '',
      scaleMin: 1,
      scaleTarget: 50,
    });
  });

  it('tells routes apart by what gateways see', () => {
    expect(isSameRoute(route, structuredClone(route))).toBe(true);
    expect(isSameRoute(route, { ...route, failure: 'x' })).toBe(false);
    expect(isSameRoute(route, { ...route, wantedReplicas: 2 })).toBe(false);
    expect(isSameRoute(route, { ...route, replicas: [] })).toBe(false);
    expect(
      isSameRoute(route, { ...route, replicas: route.replicas.map((each) => ({ ...each, draining: true })) }),
    ).toBe(false);
  });
});

describe('functionMessageOf', () => {
  const spec = functionV1.FunctionSpec.create({ name: 'f', namespace: 'ns', image: 'i' });
  const record = {
    namespace: 'ns',
    name: 'f',
    spec,
    generation: 1,
    wantedReplicas: 2,
    imageDigest: '',
    createdAtMs: 5,
    updatedAtMs: 6,
  };

  it('adds a label and nothing else to what was sent', () => {
    const message = functionMessageOf(record, { available: 1, reason: 'why' });
    expect(message).toEqual({
      spec: { ...spec, labels: { entries: { faas_function: 'f' } } },
      replicas: 2,
      availableReplicas: 1,
      createdAt: new Date(5),
      reason: 'why',
    });
    expect(spec.labels).toBeUndefined();
  });

  it('keeps the labels that were sent', () => {
    const labelled = { ...record, spec: { ...spec, labels: { entries: { a: 'b' } } } };
    expect(functionMessageOf(labelled, { available: 0, reason: '' }).spec?.labels).toEqual({
      entries: { a: 'b', faas_function: 'f' },
    });
  });
});

describe('functionKey', () => {
  it('takes the default namespace for none', () => {
    expect(functionKey({ name: 'f', namespace: '' })).toEqual({ namespace: 'openfaas-fn', name: 'f' });
    expect(routeName({ name: 'a.b', namespace: 'ns' })).toBe('a.b.ns');
  });
});

describe('secretsRevisionOf', () => {
  it('does not depend on the order', () => {
    const [a, b] = [
      { name: 'a', revision: 1 },
      { name: 'b', revision: 2 },
    ];
    expect(secretsRevisionOf([b, a])).toBe(secretsRevisionOf([a, b]));
    expect(secretsRevisionOf([a, b])).not.toBe(secretsRevisionOf([a, { ...b, revision: 3 }]));
    expect(secretsRevisionOf([])).toBe('');
  });
});
