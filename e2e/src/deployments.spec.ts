// SPDX-License-Identifier: Apache-2.0
// Deployments, secrets and namespaces: what is taken, what comes back, what is refused.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@junctiond/testing';
import { type FunctionDeployment, type FunctionStatus } from './faas-cli/openfaas-api.js';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
}, stackTimeoutMs);
afterAll(() => stack.stop());

const good: FunctionDeployment = { service: 'good', image: builtImage('probe') };

describe('a deployment', () => {
  const full: FunctionDeployment = {
    service: 'full',
    image: builtImage('probe'),
    namespace: 'openfaas-fn',
    envProcess: './probe --with args',
    envVars: { EMPTY: '', PLAIN: 'value', ODD: 'a=b "c" \'d\' ü\n' },
    constraints: ['node.label==fast'],
    secrets: [],
    labels: { team: 'tests', 'com.openfaas.scale.max': '3' },
    annotations: { note: 'kept as it is' },
    limits: { memory: '128Mi', cpu: '500m' },
    requests: { memory: '16Mi', cpu: '0.1' },
    readOnlyRootFilesystem: true,
  };

  it('comes back just as it was sent', async () => {
    const status = await stack.deploy(full);
    const { service, ...rest } = full;
    expect(status).toMatchObject({
      ...rest,
      name: service,
      replicas: 1,
      availableReplicas: 1,
      invocationCount: 0,
      labels: { ...full.labels, faas_function: 'full' },
    });
    expect(Object.keys(status.envVars ?? {})).toEqual(Object.keys(full.envVars ?? {}));
    expect(status.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
    const listed = (await stack.api.listFunctions()).json() as FunctionStatus[];
    expect(listed.find(({ name }) => name === 'full')).toMatchObject({ ...rest, name: 'full' });
  });

  it('has nothing that was not sent', async () => {
    const status = await stack.deploy(good);
    for (const field of ['envVars', 'secrets', 'constraints', 'annotations', 'limits', 'requests', 'envProcess']) {
      expect(status).not.toHaveProperty(field);
    }
    expect(status.labels).toEqual({ faas_function: 'good' });
    expect(status.image).toBe(good.image);
  });

  it('wants as many replicas as its minimum, at once', async () => {
    const labels = { 'com.openfaas.scale.min': '2' };
    expect((await stack.api.createFunction({ ...good, service: 'two', labels })).status).toBe(202);
    const status = (await stack.api.getFunction('two')).json() as FunctionStatus;
    expect(status.replicas).toBe(2);
    await stack.untilAvailable('two', 2);
  });

  it('counts its invocations and tells its usage', async () => {
    await stack.deploy({ ...good, service: 'counted' });
    for (let i = 0; i < 7; i++) await stack.api.invoke('counted', 'x');
    const status = (await stack.api.getFunction('counted')).json() as FunctionStatus;
    expect(status.invocationCount).toBe(7);
    expect(status.usage?.totalMemoryBytes).toBeGreaterThan(100_000);
    expect(status.usage?.cpu).toBeGreaterThanOrEqual(0);
  });

  it('is in the default namespace where its own is empty', async () => {
    await stack.deploy({ ...good, service: 'homeless', namespace: '' });
    const status = (await stack.api.getFunction('homeless', '')).json() as FunctionStatus;
    expect(status.namespace).toBe('openfaas-fn');
    expect((await stack.api.listFunctions('')).text).toContain('homeless');
    expect((await stack.api.deleteFunction('homeless', '')).status).toBe(202);
  });

  it('cannot be updated before it was made', async () => {
    expect((await stack.api.updateFunction({ ...good, service: 'not-yet' })).status).toBe(404);
  });

  it('is gone once deleted', async () => {
    await stack.deploy({ ...good, service: 'short' });
    expect((await stack.api.deleteFunction('short')).status).toBe(202);
    expect((await stack.api.getFunction('short')).status).toBe(404);
    expect((await stack.api.invoke('short', 'x')).status).toBe(404);
    expect((await stack.api.deleteFunction('short')).status).toBe(404);
  });
});

describe('a bad deployment', () => {
  it.each([
    ['no JSON', '{"service": "bad", '],
    ['no object', '[]'],
    ['a number as name', { ...good, service: 7 }],
    ['no name', { image: good.image }],
    ['no image', { service: 'bad' }],
    ['an empty name', { ...good, service: '' }],
    ['a name too long', { ...good, service: 'x'.repeat(64) }],
    ['a name with a slash', { ...good, service: 'a/b' }],
    ['a name with dots', { ...good, service: '../../etc' }],
    ['a name with a space', { ...good, service: 'a b' }],
    ['an image that cannot be parsed', { ...good, service: 'bad', image: 'UPPER case:::image' }],
    ['an image that is not there', { ...good, service: 'bad', image: 'oci:/nowhere/at/all:latest' }],
    ['a tag that is not there', { ...good, service: 'bad', image: builtImage('probe').replace('latest', 'no-such') }],
    ['an unknown namespace', { ...good, service: 'bad', namespace: 'nowhere' }],
    ['a bad namespace', { ...good, service: 'bad', namespace: '../x' }],
    ['an unknown secret', { ...good, service: 'bad', secrets: ['no-such-secret'] }],
    ['a bad quantity of memory', { ...good, service: 'bad', limits: { memory: '12 potatoes' } }],
    ['a negative quantity', { ...good, service: 'bad', limits: { memory: '-1Mi' } }],
    ['a bad quantity of CPU', { ...good, service: 'bad', limits: { cpu: 'many' } }],
    ['a number as environment value', { ...good, service: 'bad', envVars: { A: 1 } }],
    ['a bad name of a variable', { ...good, service: 'bad', envVars: { 'A=B': 'c' } }],
    ['a zero byte in a variable', { ...good, service: 'bad', envVars: { A: 'a\0b' } }],
    ['a text as labels', { ...good, service: 'bad', labels: 'x' }],
    ['a bad scale', { ...good, service: 'bad', labels: { 'com.openfaas.scale.min': 'few' } }],
    [
      'a minimum above the maximum',
      { ...good, service: 'bad', labels: { 'com.openfaas.scale.min': '9', 'com.openfaas.scale.max': '2' } },
    ],
    ['a bad timeout', { ...good, service: 'bad', labels: { 'com.openfaas.timeout': 'soon' } }],
  ])('is refused with 400: %s', async (_, deployment) => {
    const answer = await stack.api.request('POST', '/system/functions', deployment);
    expect({ status: answer.status, text: answer.text }).toMatchObject({
      status: 400,
      text: expect.stringMatching(/\w/),
    });
    expect((await stack.api.getFunction('bad')).status).toBe(404);
  });

  it('is taken where its registry only cannot be reached now, and described with the reason', async () => {
    const deployment = { ...good, service: 'later', image: '127.0.0.1:1/no/such:latest' };
    expect((await stack.api.createFunction(deployment)).status).toBe(202);
    await until('the reason', async () => {
      const { reason } = (await stack.api.getFunction('later')).json() as { reason?: string };
      return reason?.includes('127.0.0.1:1') === true;
    });
    await stack.api.deleteFunction('later');
  });

  it('names every faulty field', async () => {
    const answer = await stack.api.request('POST', '/system/functions', {
      ...good,
      service: 'a b',
      limits: { memory: 'x' },
      secrets: ['../x'],
    });
    expect(answer.status).toBe(400);
    for (const field of ['service', 'limits.memory', 'secrets']) expect(answer.text).toContain(field);
  });

  it('is refused where it is larger than any deployment', async () => {
    const answer = await stack.api.request('POST', '/system/functions', {
      ...good,
      envVars: { A: 'x'.repeat(20_000_000) },
    });
    expect([400, 413]).toContain(answer.status);
  });

  it.each([
    ['/system/function/a%2Fb', 404],
    ['/system/function/nobody', 404],
    ['/system/functions?namespace=nowhere', 400],
    ['/system/logs?name=nobody', 404],
    ['/system/logs', 400],
    ['/system/logs?name=good&tail=few', 400],
    ['/system/logs?name=good&since=yesterday', 400],
    ['/system/no-such-route', 404],
  ])('GET %s is answered with %d', async (path, status) => {
    expect((await stack.api.request('GET', path)).status).toBe(status);
  });

  it.each([
    ['nobody', { serviceName: 'nobody', replicas: 1 }, 404],
    ['good', { serviceName: 'good', replicas: -1 }, 400],
    ['good', { serviceName: 'good', replicas: 1.5 }, 400],
    ['good', { serviceName: 'good', replicas: 'two' }, 400],
    ['good', '{', 400],
  ])('scaling %s by %j is answered with %d', async (name, body, status) => {
    expect((await stack.api.request('POST', `/system/scale-function/${name}`, body)).status).toBe(status);
  });
});

describe('secrets', () => {
  it('are listed by name, never with their value', async () => {
    expect([200, 201, 202]).toContain((await stack.api.createSecret('listed', 'do not show this')).status);
    const answer = await stack.api.listSecrets();
    expect(answer.json()).toEqual([{ name: 'listed', namespace: 'openfaas-fn' }]);
    expect(answer.text).not.toContain('do not show this');
    expect([200, 202]).toContain((await stack.api.deleteSecret('listed')).status);
  });

  it('cannot be created twice, nor updated or deleted where there is none', async () => {
    await stack.api.createSecret('once', '1');
    expect((await stack.api.createSecret('once', '2')).status).toBe(409);
    await stack.api.deleteSecret('once');
    expect((await stack.api.updateSecret('once', '3')).status).toBe(404);
    expect((await stack.api.deleteSecret('once')).status).toBe(404);
  });

  it.each(['', '.', '..', '../../etc/passwd', 'a/b', 'a b', 'x'.repeat(300), '\0'])(
    'with the name %j are refused',
    async (name) => {
      expect((await stack.api.createSecret(name, 'x')).status).toBe(400);
      expect((await stack.api.deleteSecret(name)).status).toBe(400);
    },
  );

  it('are in the default namespace where theirs is empty', async () => {
    await stack.api.createSecret('homeless', 'x', '');
    expect((await stack.api.listSecrets('')).json()).toEqual([{ name: 'homeless', namespace: 'openfaas-fn' }]);
    expect([200, 202]).toContain((await stack.api.deleteSecret('homeless', '')).status);
  });

  it('take a raw value in base64, and refuse one that is none', async () => {
    const raw = (rawValue: string) => stack.api.request('POST', '/system/secrets', { name: 'raw', rawValue });
    expect((await raw('this is no base64!')).status).toBe(400);
    expect([200, 201, 202]).toContain((await raw(Buffer.from([0, 255, 10]).toString('base64'))).status);
  });
});

describe('namespaces', () => {
  it('can be made, changed, listed and removed', async () => {
    expect((await stack.api.createNamespace('team-a', { team: 'a' })).status).toBe(201);
    expect((await stack.api.createNamespace('team-a')).status).toBe(409);
    expect((await stack.api.listNamespaces()).json()).toEqual(['openfaas-fn', 'team-a']);
    expect((await stack.api.updateNamespace('team-a', { team: 'b' })).status).toBe(202);
    expect((await stack.api.getNamespace('team-a')).json()).toMatchObject({ name: 'team-a', labels: { team: 'b' } });
    expect((await stack.api.deleteNamespace('team-a')).status).toBe(202);
    expect((await stack.api.getNamespace('team-a')).status).toBe(404);
  });

  it('keep functions of one name apart', async () => {
    await stack.api.createNamespace('other');
    await stack.deploy({ ...good, service: 'same', envVars: { WHERE: 'here' } });
    await stack.deploy({ ...good, service: 'same', namespace: 'other', envVars: { WHERE: 'there' } });
    const whereOf = async (namespace?: string): Promise<unknown> => {
      const answer = await stack.api.invoke('same', '', namespace === undefined ? {} : { namespace });
      expect(answer.status).toBe(200);
      const status = (await stack.api.getFunction('same', namespace)).json() as FunctionStatus;
      return status.envVars?.['WHERE'];
    };
    expect([await whereOf(), await whereOf('other')]).toEqual(['here', 'there']);
    expect(((await stack.api.listFunctions('other')).json() as FunctionStatus[]).map(({ name }) => name)).toEqual([
      'same',
    ]);
    await stack.api.deleteFunction('same', 'other');
    expect((await stack.api.invoke('same', '')).status).toBe(200);
    expect((await stack.api.invoke('same', '', { namespace: 'other' })).status).toBe(404);
  });
});
