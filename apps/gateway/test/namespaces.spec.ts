// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayFixture } from './gateway.fixture.js';

describe('the namespaces API', () => {
  let gateway: GatewayFixture;

  beforeAll(async () => {
    gateway = await GatewayFixture.start();
  });
  afterAll(async () => {
    await gateway.dispose();
  });

  it('creates, lists, shows, updates and removes a namespace', async () => {
    expect((await gateway.send('GET', '/system/namespaces')).json).toEqual(['openfaas-fn']);
    const body = { name: 'dev', labels: { openfaas: '1' } };
    expect((await gateway.send('POST', '/system/namespace/', { body })).status).toBe(201);
    expect((await gateway.send('POST', '/system/namespace', { body })).status).toBe(409);
    expect((await gateway.send('GET', '/system/namespaces')).json).toEqual(['openfaas-fn', 'dev']);
    expect((await gateway.send('GET', '/system/namespace/dev')).json).toEqual({ ...body, annotations: {} });
    const changed = { annotations: { a: 'b' }, labels: null };
    expect((await gateway.send('PUT', '/system/namespace/dev', { body: changed })).status).toBe(202);
    expect((await gateway.send('GET', '/system/namespace/dev')).json).toEqual({
      name: 'dev',
      labels: {},
      annotations: { a: 'b' },
    });
    expect((await gateway.send('DELETE', '/system/namespace/dev', { body: { name: 'dev' } })).status).toBe(202);
    expect((await gateway.send('GET', '/system/namespaces')).json).toEqual(['openfaas-fn']);
  });

  it('answers 404 for an unknown one', async () => {
    expect((await gateway.send('GET', '/system/namespace/x')).status).toBe(404);
    expect((await gateway.send('PUT', '/system/namespace/x', { body: {} })).status).toBe(404);
    expect((await gateway.send('DELETE', '/system/namespace/x')).status).toBe(404);
  });

  it('answers 409 for one with functions', async () => {
    await gateway.send('POST', '/system/namespace/', { body: { name: 'full' } });
    await gateway.send('POST', '/system/functions', { body: { service: 'f', image: 'i', namespace: 'full' } });
    expect(await gateway.send('DELETE', '/system/namespace/full')).toMatchObject({
      status: 409,
      text: 'namespace full still has functions',
    });
  });

  it.each([
    ['POST', '/system/namespace/', {}, 'name: must not be empty'],
    ['POST', '/system/namespace/', { name: 'x', labels: { a: 1 } }, 'labels.a: expected string, got 1'],
    ['PUT', '/system/namespace/dev', { name: 'other' }, 'name: differs from the path\'s dev, got "other"'],
  ])('answers 400 to %s %s %j', async (method, path, body, text) => {
    expect(await gateway.send(method, path, { body })).toMatchObject({ status: 400, text });
  });
});
