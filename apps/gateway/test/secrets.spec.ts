// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayFixture } from './gateway.fixture.js';

describe('the secrets API', () => {
  let gateway: GatewayFixture;

  beforeAll(async () => {
    gateway = await GatewayFixture.start();
  });
  afterAll(async () => {
    await gateway.dispose();
  });
  beforeEach(() => gateway.provider.secrets.clear());

  const stored = (key: string) => Buffer.from(gateway.provider.secrets.get(key)!).toString('latin1');

  it.each([
    [{ name: 'a', value: 'text' }, 'a.openfaas-fn', 'text'],
    [{ name: 'a', namespace: 'dev', value: '' }, 'a.dev', ''],
    [{ name: 'a', namespace: '', rawValue: '/wAB' }, 'a.openfaas-fn', '\xff\x00\x01'],
    [{ name: 'a', value: 'text', rawValue: 'cmF3' }, 'a.openfaas-fn', 'raw'],
    [{ name: 'a', value: 'text', rawValue: null }, 'a.openfaas-fn', 'text'],
  ])('creates %j', async (body, key, content) => {
    expect((await gateway.send('POST', '/system/secrets', { body })).status).toBe(202);
    expect(stored(key)).toBe(content);
  });

  it('answers 409 to a secret that exists', async () => {
    await gateway.send('POST', '/system/secrets', { body: { name: 'a', value: '1' } });
    const again = await gateway.send('POST', '/system/secrets', { body: { name: 'a', value: '2' } });
    expect(again).toMatchObject({ status: 409, text: 'secret a exists' });
    expect(stored('a.openfaas-fn')).toBe('1');
  });

  it('lists names and never contents', async () => {
    await gateway.send('POST', '/system/secrets', { body: { name: 'a', value: 'hunter2' } });
    await gateway.send('POST', '/system/secrets', { body: { name: 'b', namespace: 'dev', value: 'hunter2' } });
    const { text, json } = await gateway.send('GET', '/system/secrets');
    expect(json).toEqual([{ name: 'a', namespace: 'openfaas-fn' }]);
    expect(text).not.toContain('hunter2');
    expect((await gateway.send('GET', '/system/secrets?namespace=dev')).json).toEqual([
      { name: 'b', namespace: 'dev' },
    ]);
  });

  it('updates a secret; 404 for an unknown one', async () => {
    const body = { name: 'a', value: '2' };
    expect((await gateway.send('PUT', '/system/secrets', { body })).status).toBe(404);
    await gateway.send('POST', '/system/secrets', { body: { name: 'a', value: '1' } });
    expect((await gateway.send('PUT', '/system/secrets', { body })).status).toBe(202);
    expect(stored('a.openfaas-fn')).toBe('2');
  });

  it.each([
    [{ name: 'a', namespace: 'dev' }, ''],
    [{ name: 'a' }, '?namespace=dev'],
    [{ name: 'a', namespace: 'dev' }, '?namespace=other'],
  ])('removes %j%s', async (body, query) => {
    await gateway.send('POST', '/system/secrets', { body: { name: 'a', namespace: 'dev', value: '1' } });
    expect((await gateway.send('DELETE', `/system/secrets${query}`, { body })).status).toBe(202);
    expect(gateway.provider.secrets.size).toBe(0);
    expect((await gateway.send('DELETE', `/system/secrets${query}`, { body })).status).toBe(404);
  });

  it.each([
    [{ value: 'hunter2' }, 'name: expected string, got nothing'],
    [{ name: 'a' }, 'value: value or rawValue must be given'],
    [{ name: 'a', rawValue: 'hunter2!' }, 'rawValue: is not base64'],
    [{ name: 'a', value: { hunter2: true } }, 'value: expected string'],
  ])('answers 400 to %j without repeating the content', async (body, text) => {
    const answer = await gateway.send('POST', '/system/secrets', { body });
    expect(answer).toMatchObject({ status: 400, text });
  });

  it('does not repeat a body that is no JSON', async () => {
    const answer = await gateway.send('POST', '/system/secrets', { body: '{"name":"a","value":hunter2}' });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('hunter2');
    expect(JSON.stringify(gateway.logLines)).not.toContain('hunter2');
  });
});
