// SPDX-License-Identifier: Apache-2.0
// The metrics under the names that OpenFaaS dashboards use.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, until } from '@junctiond/testing';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
  await stack.deploy({ service: 'measured', image: builtImage('probe'), labels: { 'com.openfaas.scale.min': '1' } });
  for (let i = 0; i < 5; i++) await exchange(stack.functionUrl('measured', '/echo'));
  for (let i = 0; i < 3; i++) await exchange(stack.functionUrl('measured', '/status?code=500'));
}, stackTimeoutMs);
afterAll(() => stack.stop());

async function metrics(port: number): Promise<string> {
  const answer = await exchange(`http://127.0.0.1:${port}/metrics`, { method: 'GET' });
  expect(answer.status).toBe(200);
  return answer.body.toString();
}

/** The value of the sample with this name and, at least, these labels. */
function sample(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match?.[1] !== name) continue;
    const found = new Map([...(match[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map((pair) => [pair[1], pair[2]]));
    if (Object.entries(labels).every(([label, value]) => found.get(label) === value)) return Number(match[3]);
  }
  return undefined;
}

describe('the metrics of the gateway', () => {
  const labels = { function_name: 'measured.openfaas-fn' };

  it('count invocations by function and code', async () => {
    const text = await until('the counts', async () => {
      const current = await metrics(stack.ports.gatewayMetrics);
      return sample(current, 'gateway_function_invocation_total', { ...labels, code: '500' }) === 3 && current;
    });
    expect(sample(text, 'gateway_function_invocation_total', { ...labels, code: '200' })).toBe(5);
    expect(sample(text, 'gateway_function_invocation_started', labels)).toBe(8);
    expect(sample(text, 'gateway_functions_seconds_count', { ...labels, code: '200' })).toBe(5);
    expect(sample(text, 'gateway_functions_seconds_sum', { ...labels, code: '200' })).toBeGreaterThan(0);
    expect(sample(text, 'gateway_functions_seconds_bucket', { ...labels, code: '200', le: '+Inf' })).toBe(5);
    expect(sample(text, 'gateway_function_invocation_inflight', labels)).toBe(0);
  });

  it('tell the replicas of each function', async () => {
    const text = await metrics(stack.ports.gatewayMetrics);
    expect(sample(text, 'gateway_service_count', labels)).toBe(1);
    expect(sample(text, 'gateway_service_ready_count', labels)).toBe(1);
    expect(sample(text, 'gateway_service_min', labels)).toBe(1);
    expect(sample(text, 'gateway_service_target', labels)).toBeGreaterThan(0);
  });

  it('count all requests by a path out of a fixed set', async () => {
    await exchange(`${stack.gatewayUrl}/no/such/${'x'.repeat(50)}`, { method: 'GET' });
    const text = await metrics(stack.ports.gatewayMetrics);
    expect(text).toMatch(/^http_requests_total\{/m);
    expect(text).toMatch(/^http_request_duration_seconds_bucket\{/m);
    expect(text).not.toContain('xxxx');
  });

  it('have no series for functions that do not exist', async () => {
    await exchange(stack.functionUrl('made-up-name'));
    expect(await metrics(stack.ports.gatewayMetrics)).not.toContain('made-up-name');
  });
});

describe('the metrics of the others', () => {
  it('of the provider count its calls', async () => {
    const text = await metrics(stack.ports.providerMetrics);
    expect(text).toMatch(/^provider_http_requests_total\{/m);
    expect(text).toMatch(/^provider_http_request_duration_seconds_bucket\{/m);
  });

  it.each(['providerMetrics', 'gatewayMetrics', 'junctiondMetrics', 'schedulerMonitorMetrics'] as const)(
    'on %s come with health',
    async (name) => {
      const port = stack.ports[name];
      expect(await metrics(port)).toMatch(/^# HELP /m);
      expect((await exchange(`http://127.0.0.1:${port}/healthz`, { method: 'GET' })).status).toBe(200);
      expect((await exchange(`http://127.0.0.1:${port}/system/functions`, { method: 'GET' })).status).toBe(404);
    },
  );
});
