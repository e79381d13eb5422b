// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RpcError } from '@junctiond/rpc';
import { noCounts } from './fake-ingress.fixture.js';
import { GatewayFixture } from './gateway.fixture.js';

describe('the functions API', () => {
  let gateway: GatewayFixture;

  beforeAll(async () => {
    gateway = await GatewayFixture.start({
      JUNCTION_GATEWAY_API_BODY_LIMIT: '64Ki',
      JUNCTION_GATEWAY_PROVIDER_TIMEOUT: '200ms',
    });
  });
  afterAll(async () => {
    await gateway.dispose();
  });
  beforeEach(() => {
    gateway.provider.functions.clear();
    gateway.provider.calls.length = 0;
    delete gateway.provider.overrides.listFunctions;
    gateway.provider.isHung = false;
  });

  const whole = {
    service: 'echo',
    image: 'registry/echo:1',
    namespace: 'dev',
    envProcess: 'cat',
    envVars: { A: '1' },
    constraints: ['x=y'],
    secrets: ['s'],
    labels: { l: '1' },
    annotations: { a: '2' },
    limits: { memory: '64Mi', cpu: '100m' },
    requests: { 'nvidia.com/gpu': '1' },
    readOnlyRootFilesystem: true,
  };

  describe('POST /system/functions', () => {
    it('hands every field on as it was sent', async () => {
      expect(await gateway.send('POST', '/system/functions', { body: whole })).toMatchObject({ status: 202, text: '' });
      const { service, ...rest } = whole;
      const shown = await gateway.send('GET', '/system/function/echo?namespace=dev');
      expect(shown.json).toEqual({
        name: service,
        ...rest,
        invocationCount: 0,
        replicas: 1,
        availableReplicas: 0,
        createdAt: '2026-01-02T03:04:05.000Z',
      });
    });

    it('leaves out what was absent or null, and knows the default namespace', async () => {
      const body = { service: 'echo', image: 'i', envVars: null, secrets: null, labels: {}, limits: null };
      expect((await gateway.send('POST', '/system/functions', { body })).status).toBe(202);
      const { json } = await gateway.send('GET', '/system/function/echo');
      expect(json).toEqual({
        name: 'echo',
        image: 'i',
        namespace: 'openfaas-fn',
        labels: {},
        invocationCount: 0,
        replicas: 1,
        availableReplicas: 0,
        createdAt: expect.any(String),
      });
    });

    it('reads JSON whatever type it claims to be', async () => {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-8']) {
        const answer = await gateway.send('POST', '/system/functions', {
          body: { service: 'echo', image: 'i' },
          headers: { 'content-type': type },
        });
        expect(answer.status).toBe(202);
      }
    });

    it('names every faulty field with its value', async () => {
      const answer = await gateway.send('POST', '/system/functions', {
        body: { service: '', envVars: { A: 1 }, secrets: 'x', limits: { memory: 64 }, readOnlyRootFilesystem: 'yes' },
      });
      expect(answer.status).toBe(400);
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(answer.text.split('\n')).toEqual([
        'service: must not be empty, got ""',
        'image: expected string, got nothing',
        'envVars.A: expected string, got 1',
        'secrets: expected array, got "x"',
        'limits.memory: expected string, got 64',
        'readOnlyRootFilesystem: expected boolean, got "yes"',
      ]);
      expect(gateway.provider.calls).toEqual([]);
    });

    it.each([
      ['{"service": ', 'the body is not valid JSON'],
      ['', 'the body is empty, expected JSON'],
      ['[]', 'body: expected object'],
      ['"text"', 'body: expected object'],
    ])('answers 400 to %j', async (body, text) => {
      const answer = await gateway.send('POST', '/system/functions', { body });
      expect(answer).toMatchObject({ status: 400 });
      expect(answer.text).toContain(text);
    });

    it("answers 400 with the provider's own words", async () => {
      const answer = await gateway.send('POST', '/system/functions', { body: { service: 'x', image: 'bad image' } });
      expect(answer).toMatchObject({ status: 400, text: 'image: is not a reference, got "bad image"' });
    });

    it('answers 413 over the body limit and names it', async () => {
      const answer = await gateway.send('POST', '/system/functions', { body: 'x'.repeat(64 * 1024 + 1) });
      expect(answer).toMatchObject({
        status: 413,
        text: 'gateway: the body is larger than 64Ki, the limit of API requests',
      });
    });
  });

  describe('PUT /system/functions', () => {
    it('updates a function', async () => {
      await gateway.send('POST', '/system/functions', { body: whole });
      expect((await gateway.send('PUT', '/system/functions', { body: { ...whole, image: 'i:2' } })).status).toBe(202);
      expect(gateway.provider.functions.get('echo.dev')?.spec?.image).toBe('i:2');
    });

    it('answers 404 for an unknown one, so that clients POST', async () => {
      const answer = await gateway.send('PUT', '/system/functions', { body: whole });
      expect(answer).toMatchObject({ status: 404, text: 'function echo.dev does not exist' });
    });

    it('answers 400 to a faulty body', async () => {
      expect((await gateway.send('PUT', '/system/functions', { body: {} })).status).toBe(400);
    });
  });

  describe('DELETE /system/functions', () => {
    it.each([
      [{ functionName: 'echo', namespace: 'dev' }, ''],
      [{ functionName: 'echo.dev' }, ''],
      [{ functionName: 'echo' }, '?namespace=dev'],
    ])('removes %j%s', async (body, query) => {
      await gateway.send('POST', '/system/functions', { body: whole });
      expect((await gateway.send('DELETE', `/system/functions${query}`, { body })).status).toBe(202);
      expect(gateway.provider.functions.size).toBe(0);
    });

    it('answers 404 for an unknown one and 400 without a name', async () => {
      expect((await gateway.send('DELETE', '/system/functions', { body: { functionName: 'x' } })).status).toBe(404);
      const answer = await gateway.send('DELETE', '/system/functions', { body: {} });
      expect(answer).toMatchObject({ status: 400, text: 'functionName: expected string, got nothing' });
    });
  });

  describe('GET /system/functions', () => {
    it('lists the functions of a namespace with their invocations', async () => {
      for (const body of [whole, { ...whole, namespace: undefined, service: 'a' }]) {
        await gateway.send('POST', '/system/functions', { body });
      }
      const code = { secondsSum: 1, buckets: [0, 0, 0, 3] };
      gateway.ingress.counts = {
        ...noCounts,
        functions: [
          {
            functionName: 'echo.dev',
            started: 6,
            inflight: 0,
            held: 0,
            queued: 0,
            coldStarts: 0,
            codes: [
              { code: 200, count: 3, ...code },
              { code: 500, count: 2, ...code },
            ],
          },
        ],
      };
      const dev = await gateway.send('GET', '/system/functions?namespace=dev');
      expect(dev).toMatchObject({ status: 200, json: [{ name: 'echo', invocationCount: 5 }] });
      const others = await gateway.send('GET', '/system/functions');
      expect(others.json).toMatchObject([{ name: 'a', namespace: 'openfaas-fn', invocationCount: 0 }]);
    });

    it('answers an empty list as JSON', async () => {
      expect(await gateway.send('GET', '/system/functions')).toMatchObject({ status: 200, text: '[]' });
    });
  });

  describe('GET /system/function/NAME', () => {
    beforeEach(async () => {
      await gateway.send('POST', '/system/functions', { body: whole });
    });

    it('takes the namespace from the query or the name', async () => {
      for (const path of ['echo?namespace=dev', 'echo.dev', 'echo.dev?namespace=dev']) {
        expect((await gateway.send('GET', `/system/function/${path}`)).json).toMatchObject({
          name: 'echo',
          namespace: 'dev',
        });
      }
    });

    it('shows the use of resources when asked', async () => {
      const { json } = await gateway.send('GET', '/system/function/echo.dev?usage=1');
      expect(json).toMatchObject({ usage: { cpu: 12.5, totalMemoryBytes: 4096 } });
      expect(gateway.provider.calls.at(-1)).toEqual(['getFunction', { name: 'echo', namespace: 'dev', usage: true }]);
    });

    it('shows why replicas are not available', async () => {
      const fn = gateway.provider.functions.get('echo.dev')!;
      gateway.provider.functions.set('echo.dev', { ...fn, reason: 'exited with 1' });
      expect((await gateway.send('GET', '/system/function/echo.dev')).json).toMatchObject({ reason: 'exited with 1' });
    });

    it('shows how a replica ended last, also when all is well', async () => {
      const fn = gateway.provider.functions.get('echo.dev')!;
      const at = new Date('2026-11-28T01:02:03Z');
      const lastFailure = { reason: 'exited with code 1', at, instance: 'echo-1' };
      gateway.provider.functions.set('echo.dev', { ...fn, reason: '', lastFailure });
      const { json } = await gateway.send('GET', '/system/function/echo.dev');
      expect(json).toMatchObject({ lastFailure: { ...lastFailure, at: '2026-11-28T01:02:03.000Z' } });
      expect(json).not.toHaveProperty('reason');
    });

    it('answers 404 for an unknown one, even a name of a thousand characters', async () => {
      expect((await gateway.send('GET', '/system/function/nobody')).status).toBe(404);
      expect((await gateway.send('GET', `/system/function/${'n'.repeat(1_000)}`)).status).toBe(404);
    });

    it('answers 400 to a query that makes no sense', async () => {
      const answer = await gateway.send('GET', '/system/function/echo?usage=maybe&namespace=a&namespace=b');
      expect(answer.status).toBe(400);
      expect(answer.text.split('\n')).toEqual([
        'namespace: expected string, got ["a","b"]',
        'usage: expected 0, 1, true or false, got "maybe"',
      ]);
    });
  });

  describe('POST /system/scale-function/NAME', () => {
    beforeEach(async () => {
      await gateway.send('POST', '/system/functions', { body: whole });
    });

    it.each([0, 7])('sets the wanted replicas to %d', async (replicas) => {
      const body = { serviceName: 'echo', replicas, namespace: 'dev' };
      expect((await gateway.send('POST', '/system/scale-function/echo', { body })).status).toBe(202);
      expect(gateway.provider.functions.get('echo.dev')?.replicas).toBe(replicas);
    });

    it('answers 404 for an unknown function', async () => {
      const body = { serviceName: 'x', replicas: 1 };
      expect((await gateway.send('POST', '/system/scale-function/x', { body })).status).toBe(404);
    });

    it.each([
      [{ serviceName: 'echo' }, 'replicas: expected number, got nothing'],
      [{ replicas: -1 }, 'replicas: must not be negative, got -1'],
      [{ replicas: 1.5 }, 'replicas: expected a whole number, got 1.5'],
      [{ replicas: '2' }, 'replicas: expected number, got "2"'],
      [{ replicas: 2 ** 32 }, 'replicas: is too large, got 4294967296'],
      [{ serviceName: 'other', replicas: 1 }, 'serviceName: differs from the path\'s echo, got "other"'],
    ])('answers 400 to %j', async (body, text) => {
      expect(await gateway.send('POST', '/system/scale-function/echo', { body })).toMatchObject({ status: 400, text });
    });
  });

  describe('when the provider fails', () => {
    const socket = () => gateway.config.paths.providerSocket;

    it.each([
      ['already_exists', 409, 'it'],
      ['failed_precondition', 409, 'it'],
      ['resource_exhausted', 429, 'it'],
      ['permission_denied', 403, 'it'],
      ['unimplemented', 501, 'provider: it'],
    ] as const)('turns %s into %d', async (kind, status, text) => {
      gateway.provider.overrides.listFunctions = () => Promise.reject(new RpcError(kind, 'it'));
      expect(await gateway.send('GET', '/system/functions')).toMatchObject({ status, text });
    });

    it('names the hop when it has a defect, and tells nothing more', async () => {
      gateway.provider.overrides.listFunctions = () => Promise.reject(new Error('the password is hunter2'));
      expect(await gateway.send('GET', '/system/functions')).toMatchObject({
        status: 500,
        text: 'provider: internal error, see the log of the server',
      });
    });

    it('answers 504 naming hop and limit when it does not answer in time', async () => {
      gateway.provider.overrides.listFunctions = () => new Promise(() => undefined);
      const answer = await gateway.send('GET', '/system/functions');
      expect(answer.status).toBe(504);
      expect(answer.text).toMatch(
        `gateway: the provider at unix:${socket()} did not answer in time: no answer within 200 ms`,
      );
    });

    it('is reported by /healthz as 503 when it hangs', async () => {
      gateway.provider.isHung = true;
      const answer = await gateway.send('GET', '/healthz', { anonymous: true });
      expect(answer.status).toBe(503);
      expect(answer.text).toContain('gateway: the provider does not answer: no answer within');
    });

    it('answers 503 naming the hop when it is away, and recovers', async () => {
      await gateway.provider.stop();
      const answer = await gateway.send('GET', '/system/functions');
      expect(answer.status).toBe(503);
      expect(answer.text).toMatch(`gateway: the provider at unix:${socket()} cannot be reached: `);
      expect((await gateway.send('GET', '/healthz', { anonymous: true })).status).toBe(503);
      await gateway.provider.start();
      let status = 503;
      while (status === 503) ({ status } = await gateway.send('GET', '/healthz', { anonymous: true }));
      expect(status).toBe(200);
    });
  });
});
