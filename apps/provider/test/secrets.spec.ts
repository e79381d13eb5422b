// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RpcError } from '@junctiond/rpc';
import { until } from '@junctiond/testing';
import type { FakeGateway } from './fake-gateway.fixture.js';
import { type Clients, ProviderBench, specOf } from './provider.fixture.js';

const value = (text: string): Buffer => Buffer.from(text);

describe('secrets and namespaces', () => {
  let bench: ProviderBench;
  let clients: Clients;
  let gateway: FakeGateway;

  beforeAll(async () => {
    bench = await ProviderBench.start();
    const provider = await bench.provider();
    ({ clients } = provider);
    gateway = bench.gateway(provider);
    await until('the provider to be ready', () => gateway.updates.length > 0);
  });
  afterAll(async () => {
    await bench.stop();
  });

  const names = async (namespace = ''): Promise<string[]> =>
    (await clients.secrets.listSecrets({ namespace })).secrets.map(({ name }) => name);

  it('lists names only', async () => {
    await clients.secrets.createSecret({ name: 'b', namespace: '', value: value('1') });
    await clients.secrets.createSecret({ name: 'a', namespace: '', value: value('2') });
    expect(await clients.secrets.listSecrets({ namespace: '' })).toEqual({
      secrets: [
        { name: 'a', namespace: 'openfaas-fn' },
        { name: 'b', namespace: 'openfaas-fn' },
      ],
    });
    await clients.secrets.deleteSecret({ name: 'b', namespace: 'openfaas-fn' });
    expect(await names()).toEqual(['a']);
  });

  it('answers with the kind of fault', async () => {
    await expect(clients.secrets.createSecret({ name: 'a', namespace: '', value: value('x') })).rejects.toMatchObject({
      kind: 'already_exists',
    });
    for (const call of [
      clients.secrets.updateSecret({ name: 'none', namespace: '', value: value('x') }),
      clients.secrets.deleteSecret({ name: 'none', namespace: '' }),
    ]) {
      await expect(call).rejects.toMatchObject({ kind: 'not_found' });
    }
    for (const name of ['', '..', 'a/b', '../../etc/passwd', 'x'.repeat(254)]) {
      await expect(clients.secrets.createSecret({ name, namespace: '', value: value('x') })).rejects.toMatchObject({
        kind: 'invalid_argument',
      });
    }
    const large = clients.secrets.createSecret({ name: 'large', namespace: '', value: Buffer.alloc(1_048_577) });
    await expect(large).rejects.toMatchObject({ kind: 'invalid_argument' });
    await expect(names('nowhere')).rejects.toMatchObject({ kind: 'invalid_argument' });
  });

  it('gives instances the secrets they name, changes them in place and keeps the instance', async () => {
    const binary = Buffer.from([0, 255, 10]);
    await clients.secrets.createSecret({ name: 'key', namespace: '', value: binary });
    await clients.functions.deployFunction({ spec: specOf('user', { secrets: { items: ['key', 'a'] } }) });
    const [id] = await until('a replica', () => {
      const ids = gateway.serving('user.openfaas-fn');
      return ids.length === 1 ? ids : undefined;
    });
    expect(bench.junctiond.secretsOf(id!)).toEqual({ key: binary.toString(), a: '2' });
    expect(bench.junctiond.callsOf('secrets')).toEqual([]);

    await clients.secrets.updateSecret({ name: 'a', namespace: '', value: value('new') });
    await until('the new value', () => bench.junctiond.secretsOf(id!)['a'] === 'new');
    expect(gateway.serving('user.openfaas-fn')).toEqual([id]);
    expect(bench.junctiond.callsOf('secrets')).toEqual([`secrets ${id}`]);
  });

  it('makes up for an update that junctiond missed', async () => {
    const [id] = gateway.serving('user.openfaas-fn');
    await bench.junctiond.stop();
    await clients.secrets.updateSecret({ name: 'a', namespace: '', value: value('missed') });
    await bench.junctiond.start();
    await until('the value', () => bench.junctiond.secretsOf(id!)['a'] === 'missed');
  });

  it('lets replicas keep a deleted secret, starts none without it, and goes on when it is back', async () => {
    await clients.secrets.deleteSecret({ name: 'a', namespace: '' });
    const [id] = gateway.serving('user.openfaas-fn');
    await clients.functions.scaleFunction({ name: 'user', namespace: '', replicas: 2 });
    const reason = await until('the reason', async () => {
      const { function: found } = await clients.functions.getFunction({ name: 'user', namespace: '', usage: false });
      return found!.reason === '' ? undefined : found!.reason;
    });
    expect(reason).toBe('secrets that do not exist: a');
    expect(gateway.serving('user.openfaas-fn')).toEqual([id]);
    expect(bench.junctiond.secretsOf(id!)['a']).toBe('missed');

    await clients.functions.scaleFunction({ name: 'user', namespace: '', replicas: 0 });
    await until('none left', () => bench.junctiond.ids().length === 0);
    const refusal: unknown = await clients.functions
      .requestReplica({ name: 'user', namespace: '' })
      .catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RpcError);
    expect(refusal).toMatchObject({ kind: 'failed_precondition', message: expect.stringContaining('do not exist: a') });

    await clients.secrets.createSecret({ name: 'a', namespace: '', value: value('back') });
    const next = await until('a replica', () => gateway.serving('user.openfaas-fn')[0]);
    expect(bench.junctiond.secretsOf(next)['a']).toBe('back');
  });

  it('logs no value, neither whole nor encoded', async () => {
    const marker = 'a very secret value';
    await clients.secrets.createSecret({ name: 'marked', namespace: '', value: value(marker) });
    await clients.functions.deployFunction({ spec: specOf('marked', { secrets: { items: ['marked'] } }) });
    await until('a replica', () => gateway.serving('marked.openfaas-fn').length === 1);
    await clients.secrets.updateSecret({ name: 'marked', namespace: '', value: value(`${marker} 2`) });
    await until('an update', () => bench.junctiond.callsOf('secrets').some((call) => call.includes(' marked-')));
    const log = bench.logLines.join('');
    expect(log).toContain('replica created');
    for (const form of [marker, value(marker).toString('base64').slice(0, 16), value(marker).toString('hex')]) {
      expect(log).not.toContain(form);
    }
    expect(log).not.toContain([...value(marker)].join(','));
  });

  it('keeps secrets of namespaces apart', async () => {
    await clients.namespaces.createNamespace({ namespace: { name: 'dev', labels: {}, annotations: {} } });
    await clients.secrets.createSecret({ name: 'key', namespace: 'dev', value: value('dev') });
    expect(await names('dev')).toEqual(['key']);
    const spec = specOf('needs-a', { namespace: 'dev', secrets: { items: ['a'] } });
    await expect(clients.functions.deployFunction({ spec })).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringContaining('do not exist in namespace dev: a'),
    });
  });

  it('creates, changes, lists and deletes namespaces', async () => {
    const test = { name: 'a-test', labels: { openfaas: '1' }, annotations: { x: 'y' } };
    await clients.namespaces.createNamespace({ namespace: test });
    expect(await clients.namespaces.getNamespace({ name: 'a-test' })).toEqual({ namespace: test });
    await clients.namespaces.updateNamespace({ namespace: { ...test, labels: {} } });
    const { namespaces } = await clients.namespaces.listNamespaces({});
    expect(namespaces.map(({ name }) => name)).toEqual(['openfaas-fn', 'a-test', 'dev']);
    expect(namespaces[1]?.labels).toEqual({});
    await clients.namespaces.deleteNamespace({ name: 'a-test' });
    await expect(clients.namespaces.getNamespace({ name: 'a-test' })).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('answers with the kind of fault for namespaces too', async () => {
    const record = { name: 'dev', labels: {}, annotations: {} };
    await expect(clients.namespaces.createNamespace({ namespace: record })).rejects.toMatchObject({
      kind: 'already_exists',
    });
    for (const name of ['', 'A', 'a.b', '-', 'x'.repeat(64)]) {
      const call = clients.namespaces.createNamespace({ namespace: { ...record, name } });
      await expect(call).rejects.toMatchObject({ kind: 'invalid_argument' });
    }
    await expect(clients.namespaces.createNamespace({ namespace: undefined })).rejects.toMatchObject({
      kind: 'invalid_argument',
    });
    await expect(clients.namespaces.updateNamespace({ namespace: { ...record, name: 'no' } })).rejects.toMatchObject({
      kind: 'not_found',
    });
    await expect(clients.namespaces.deleteNamespace({ name: 'no' })).rejects.toMatchObject({ kind: 'not_found' });
    await expect(clients.namespaces.deleteNamespace({ name: 'openfaas-fn' })).rejects.toMatchObject({
      kind: 'failed_precondition',
    });
    await expect(clients.namespaces.deleteNamespace({ name: 'dev' })).rejects.toMatchObject({
      kind: 'failed_precondition',
      message: expect.stringContaining('1 secret'),
    });
  });
});
