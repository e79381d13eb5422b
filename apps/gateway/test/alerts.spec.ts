// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayFixture } from './gateway.fixture.js';

describe('POST /system/alert', () => {
  let gateway: GatewayFixture;

  beforeAll(async () => {
    gateway = await GatewayFixture.start();
  });
  afterAll(async () => {
    await gateway.dispose();
  });
  beforeEach(() => gateway.provider.functions.clear());

  const deploy = async (name: string, replicas: number, labels?: Record<string, string>) => {
    await gateway.send('POST', '/system/functions', { body: { service: name, image: 'i', labels } });
    const fn = gateway.provider.functions.get(`${name}.openfaas-fn`)!;
    gateway.provider.functions.set(`${name}.openfaas-fn`, { ...fn, replicas });
    gateway.provider.calls.length = 0;
  };
  const replicasOf = (name: string) => gateway.provider.functions.get(`${name}.openfaas-fn`)?.replicas;

  /** As AlertManager sends it (webhook version 4), with the parts that nobody reads. */
  const message = (status: string, ...names: string[]) => ({
    receiver: 'scale-up',
    status,
    version: '4',
    groupKey: '{}:{alertname="APIHighInvocationRate"}',
    alerts: names.map((name) => ({
      status,
      labels: { alertname: 'APIHighInvocationRate', function_name: name, severity: 'major' },
      annotations: { summary: 'High invocation total' },
      startsAt: '2026-01-02T03:04:05Z',
      endsAt: '0001-01-01T00:00:00Z',
    })),
  });

  it.each([
    ['firing', 1, undefined, 5],
    ['firing', 18, undefined, 20],
    ['firing', 1, { 'com.openfaas.scale.max': '7', 'com.openfaas.scale.factor': '50' }, 5],
    ['firing', 0, { 'com.openfaas.scale.max': '3', 'com.openfaas.scale.factor': '1' }, 1],
    ['firing', 2, { 'com.openfaas.scale.factor': '0' }, 2],
    ['firing', 3, { 'com.openfaas.scale.min': '4', 'com.openfaas.scale.max': '4' }, 3],
    ['resolved', 20, undefined, 1],
    ['resolved', 20, { 'com.openfaas.scale.min': '3' }, 3],
    ['resolved', 20, { 'com.openfaas.scale.min': 'many' }, 1],
  ])('%s with %d replicas and labels %j leads to %d', async (status, replicas, labels, expected) => {
    await deploy('echo', replicas, labels);
    const answer = await gateway.send('POST', '/system/alert', { body: message(status, 'echo.openfaas-fn') });
    expect(answer.status).toBe(200);
    expect(replicasOf('echo')).toBe(expected);
    const scalings = gateway.provider.calls.filter(([method]) => method === 'scaleFunction');
    expect(scalings).toHaveLength(expected === replicas ? 0 : 1);
  });

  it('scales each function of a message, and answers 400 naming those that do not exist', async () => {
    await deploy('a', 1);
    await deploy('b', 1);
    const body = message('firing', 'a', 'nobody.dev', 'b');
    expect(await gateway.send('POST', '/system/alert', { body })).toMatchObject({
      status: 400,
      text: 'function_name: there is no function "nobody.dev"',
    });
    expect([replicasOf('a'), replicasOf('b')]).toEqual([5, 5]);
  });

  it.each([
    ['not json', 'the body is not valid JSON'],
    ['{}', 'alerts: expected array, got nothing'],
    ['{"alerts":[]}', 'alerts: must not be empty, got []'],
    ['{"alerts":[{"labels":{}}]}', 'alerts.0.labels.function_name: expected string, got nothing'],
    ['{"status":"odd","alerts":[{"labels":{"function_name":"a"}}]}', 'status: expected firing or resolved, got "odd"'],
  ])('answers 400 to %s', async (body, text) => {
    const answer = await gateway.send('POST', '/system/alert', { body });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(text);
  });
});
