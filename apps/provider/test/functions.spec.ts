// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type functionV1, instanceV1 } from '@junctiond/contracts';
import { RpcError } from '@junctiond/rpc';
import { until } from '@junctiond/testing';
import type { FakeGateway } from './fake-gateway.fixture.js';
import { type Clients, ProviderBench, type RunningProvider, specOf } from './provider.fixture.js';

describe('functions', () => {
  let bench: ProviderBench;
  let provider: RunningProvider;
  let clients: Clients;
  let gateway: FakeGateway;

  beforeAll(async () => {
    bench = await ProviderBench.start();
    provider = await bench.provider();
    ({ clients } = provider);
    gateway = bench.gateway(provider);
    await until('the first snapshot', () => gateway.updates.length > 0);
  });
  afterAll(async () => {
    await bench.stop();
  });

  const get = async (name: string, usage = false): Promise<functionV1.FunctionMessage> => {
    const { function: found } = await clients.functions.getFunction({ name, namespace: '', usage });
    return found!;
  };
  const serves = (name: string, count: number): Promise<string[]> =>
    until(`${count} replicas of ${name}`, () => {
      const ids = gateway.serving(`${name}.openfaas-fn`);
      return ids.length === count && gateway.draining(`${name}.openfaas-fn`).length === 0 ? ids : undefined;
    });
  const idsOf = (name: string): string[] => bench.junctiond.ids().filter((id) => id.startsWith(`${name}-`));

  it('deploys a function: the spec comes back as sent, its replica gets a route', async () => {
    const spec = specOf('full', {
      namespace: 'openfaas-fn',
      envProcess: 'cat',
      envVars: { entries: { A: '1' } },
      labels: { entries: { team: 'x' } },
      annotations: { entries: {} },
      limits: { quantities: { memory: '64Mi', cpu: '250m' } },
      readOnlyRootFilesystem: true,
    });
    await clients.functions.deployFunction({ spec });
    const deployed = await get('full');
    expect(deployed.spec).toEqual({ ...spec, labels: { entries: { team: 'x', faas_function: 'full' } } });
    expect(deployed.replicas).toBe(1);
    expect(deployed.createdAt?.getTime()).toBeGreaterThan(Date.now() - 60_000);

    const [id] = await serves('full', 1);
    expect(id).toMatch(/^full-[a-z0-9]{8}$/);
    const served = await get('full', true);
    expect(served).toMatchObject({ availableReplicas: 1, reason: '' });
    expect(served.usage).toEqual({ cpuMillicores: 1.5, totalMemoryBytes: 1_000n });
    const route = gateway.table.get('full.openfaas-fn')!;
    expect(route).toMatchObject({ timeoutMs: 60_000, startsFromZero: true, wantedReplicas: 1, failure: '' });
    expect(route.replicas).toEqual([
      { id, host: '127.0.0.1', port: expect.any(Number), linkPath: '', instanceNumber: 0, draining: false },
    ]);
  });

  it('gives the instance everything the function asks for', async () => {
    const spec = bench.junctiond.instances().find(({ spec: each }) => each?.hostname === 'full')?.spec;
    expect(spec).toMatchObject({
      image: `full:1@sha256:${'0'.repeat(64)}`,
      uproc: { env: { A: '1', fprocess: 'cat', OPENFAAS_NAME: 'full', OPENFAAS_NAMESPACE: 'openfaas-fn' } },
      coreLimit: 1,
      cpuLimitMillicores: 250n,
      memoryLimitBytes: 67_108_864n,
      readOnlyRoot: true,
      hosts: { gateway: 'host' },
      labels: { 'managed-by': 'provider', function: 'full', namespace: 'openfaas-fn' },
    });
  });

  it('tells absent fields from empty ones', async () => {
    await clients.functions.deployFunction({ spec: specOf('bare') });
    const { spec } = await get('bare');
    expect(spec).toEqual({
      ...specOf('bare', { namespace: 'openfaas-fn' }),
      labels: { entries: { faas_function: 'bare' } },
    });
    expect(spec?.envVars).toBeUndefined();
    expect(spec?.limits).toBeUndefined();
  });

  it('starts with as many replicas as com.openfaas.scale.min says', async () => {
    const labels = { entries: { 'com.openfaas.scale.min': '3' } };
    await clients.functions.deployFunction({ spec: specOf('three', { labels }) });
    expect((await get('three')).replicas).toBe(3);
    await serves('three', 3);
    expect(gateway.table.get('three.openfaas-fn')).toMatchObject({ scaleMin: 3, wantedReplicas: 3 });
  });

  it('lists the functions of a namespace, of all, and refuses an unknown one', async () => {
    await clients.namespaces.createNamespace({ namespace: { name: 'dev', labels: {}, annotations: {} } });
    await clients.functions.deployFunction({ spec: specOf('elsewhere', { namespace: 'dev' }) });
    const names = async (namespace: string, allNamespaces = false): Promise<string[]> => {
      const { functions } = await clients.functions.listFunctions({ namespace, allNamespaces });
      return functions.map(({ spec }) => spec!.name);
    };
    expect(await names('dev')).toEqual(['elsewhere']);
    expect(await names('')).not.toContain('elsewhere');
    expect(await names('', true)).toEqual(expect.arrayContaining(['full', 'elsewhere']));
    await expect(names('nowhere')).rejects.toMatchObject({ kind: 'invalid_argument' });
    await clients.functions.deleteFunction({ name: 'elsewhere', namespace: 'dev' });
  });

  it('names every fault of a deployment at once', async () => {
    const spec = specOf('-bad-', {
      image: '',
      limits: { quantities: { memory: 'much' } },
      secrets: { items: ['missing-1', 'missing-2'] },
    });
    const error = await clients.functions.deployFunction({ spec }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'invalid_argument' });
    for (const part of ['service', 'image is missing', 'limits.memory', 'missing-1, missing-2']) {
      expect(String(error)).toContain(part);
    }
    await expect(
      clients.functions.deployFunction({ spec: specOf('a', { namespace: 'nowhere' }) }),
    ).rejects.toMatchObject({ kind: 'invalid_argument', message: expect.stringContaining('nowhere does not exist') });
    await expect(clients.functions.deployFunction({ spec: undefined })).rejects.toMatchObject({
      kind: 'invalid_argument',
    });
  });

  it('refuses an image that does not exist', async () => {
    bench.junctiond.missingImage = new RpcError('not_found', 'no such image: nope:1');
    try {
      await expect(clients.functions.deployFunction({ spec: specOf('nope') })).rejects.toMatchObject({
        kind: 'invalid_argument',
        message: expect.stringContaining('no such image: nope:1'),
      });
    } finally {
      bench.junctiond.missingImage = undefined;
    }
    await expect(get('nope')).rejects.toMatchObject({ kind: 'not_found' });
  });

  it.each([
    ['get', () => clients.functions.getFunction({ name: 'no', namespace: '', usage: false })],
    ['update', () => clients.functions.updateFunction({ spec: specOf('no') })],
    ['delete', () => clients.functions.deleteFunction({ name: 'no', namespace: '' })],
    ['scale', () => clients.functions.scaleFunction({ name: 'no', namespace: '', replicas: 1 })],
    ['request a replica of', () => clients.functions.requestReplica({ name: 'no', namespace: '' })],
  ])('answers not found to %s an unknown function', async (_verb, call) => {
    await expect(call()).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('scales up and down and refuses what is beyond reason', async () => {
    await clients.functions.deployFunction({ spec: specOf('scaled') });
    await serves('scaled', 1);
    await clients.functions.scaleFunction({ name: 'scaled', namespace: '', replicas: 4 });
    expect((await get('scaled')).replicas).toBe(4);
    const four = await serves('scaled', 4);
    await clients.functions.scaleFunction({ name: 'scaled', namespace: '', replicas: 2 });
    const two = await serves('scaled', 2);
    expect(four).toEqual(expect.arrayContaining(two));
    await until('two instances', () => idsOf('scaled').length === 2);
    await expect(
      clients.functions.scaleFunction({ name: 'scaled', namespace: '', replicas: 1_000_000 }),
    ).rejects.toMatchObject({ kind: 'invalid_argument' });
  });

  it('scales to zero, keeps the route, and starts again when asked', async () => {
    await clients.functions.deployFunction({ spec: specOf('zero') });
    await serves('zero', 1);
    await clients.functions.scaleFunction({ name: 'zero', namespace: '', replicas: 0 });
    await until('no instance', () => idsOf('zero').length === 0);
    const atZero = await until('an empty route', () => {
      const route = gateway.table.get('zero.openfaas-fn');
      return route?.replicas.length === 0 ? route : undefined;
    });
    expect(atZero).toMatchObject({ startsFromZero: true, wantedReplicas: 0, failure: '' });

    const request = { name: 'zero', namespace: '' };
    await Promise.all(Array.from({ length: 20 }, () => clients.functions.requestReplica(request)));
    await serves('zero', 1);
    await clients.functions.requestReplica(request);
    expect((await get('zero')).replicas).toBe(1);
    expect(idsOf('zero').length).toBe(1);
  });

  it('updates without a gap: the new replica serves before the old one drains, and drains before it stops', async () => {
    await clients.functions.deployFunction({ spec: specOf('updated') });
    const [oldId] = await serves('updated', 1);
    gateway.busy = [oldId!];
    bench.junctiond.behaviours.set('updated:2', 'stays starting');
    await clients.functions.updateFunction({ spec: specOf('updated', { image: 'updated:2' }) });
    const newId = await until('the new instance', () => idsOf('updated').find((id) => id !== oldId));
    expect(gateway.serving('updated.openfaas-fn')).toEqual([oldId]);
    expect((await get('updated')).availableReplicas).toBe(1);

    bench.junctiond.listen(newId);
    await until('the switch', () => gateway.serving('updated.openfaas-fn')[0] === newId);
    expect(gateway.draining('updated.openfaas-fn')).toEqual([oldId]);
    await clients.info.getInfo({});
    expect(bench.junctiond.callsOf('delete').some((call) => call.endsWith(oldId!))).toBe(false);

    gateway.busy = [];
    await gateway.report();
    await until('the old instance to go', () => !bench.junctiond.ids().includes(oldId!));
    const counts = gateway.updates
      .flatMap(({ upserts }) => upserts)
      .filter(({ functionName }) => functionName === 'updated.openfaas-fn')
      .map(({ replicas }) => replicas.filter(({ draining }) => !draining).length);
    expect(counts.slice(counts.indexOf(1))).not.toContain(0);
  });

  it('runs new replicas when the same spec is sent again: its tag may name another image by now', async () => {
    await clients.functions.deployFunction({ spec: specOf('again') });
    const [before] = await serves('again', 1);
    bench.junctiond.images.set('again:1', `sha256:${'1'.repeat(64)}`);
    await clients.functions.updateFunction({ spec: specOf('again') });
    await until('the switch', () => {
      const [id] = gateway.serving('again.openfaas-fn');
      return id !== undefined && id !== before;
    });
    await until('one instance', () => idsOf('again').length === 1);
    const instance = bench.junctiond.instances().find(({ spec }) => spec?.hostname === 'again');
    expect(instance?.spec?.image).toBe(`again:1@sha256:${'1'.repeat(64)}`);
  });

  it('keeps the old replicas when an update fails, says why, and recovers with the next', async () => {
    await clients.functions.deployFunction({ spec: specOf('fragile') });
    const [oldId] = await serves('fragile', 1);
    bench.junctiond.behaviours.set('fragile:2', 'fails');
    await clients.functions.updateFunction({ spec: specOf('fragile', { image: 'fragile:2' }) });
    const failing = await until('the reason', async () => {
      const found = await get('fragile');
      return found.reason === '' ? undefined : found;
    });
    expect(failing).toMatchObject({ availableReplicas: 1, reason: 'it did not listen on port 8080 in time' });
    expect(gateway.serving('fragile.openfaas-fn')).toEqual([oldId]);
    expect(gateway.table.get('fragile.openfaas-fn')?.failure).toBe('');

    await clients.functions.updateFunction({ spec: specOf('fragile', { image: 'fragile:3' }) });
    await until('recovery', async () => (await get('fragile')).reason === '' && idsOf('fragile').length === 1);
    expect(bench.junctiond.ids()).not.toContain(oldId);
  });

  it('shows why a function cannot start, refuses requests with it, and tries again', async () => {
    bench.junctiond.behaviours.set('broken:1', 'fails');
    await clients.functions.deployFunction({ spec: specOf('broken') });
    const why = 'it did not listen on port 8080 in time';
    await until('the failure in the route', () => gateway.table.get('broken.openfaas-fn')?.failure === why);
    expect(await get('broken')).toMatchObject({ replicas: 1, availableReplicas: 0, reason: why });
    await until('the refusal', async () => {
      const error = await clients.functions.requestReplica({ name: 'broken', namespace: '' }).catch((e: unknown) => e);
      return error instanceof RpcError && error.kind === 'failed_precondition' && error.message.includes(why);
    });
    await until(
      'a second attempt',
      () => bench.junctiond.callsOf('create').filter((c) => c.includes(' broken-')).length > 1,
    );
    bench.junctiond.behaviours.delete('broken:1');
    await serves('broken', 1);
    expect(await get('broken')).toMatchObject({ availableReplicas: 1, reason: '' });
    expect(idsOf('broken').length).toBe(1);
  });

  it('shows the fault of a creation that junctiond refuses', async () => {
    bench.junctiond.createError = new RpcError('invalid_argument', 'core_limit: must be at most 2');
    await clients.functions.deployFunction({ spec: specOf('refused') });
    await until('the reason', async () => (await get('refused')).reason.includes('core_limit: must be at most 2'));
    bench.junctiond.createError = undefined;
    await serves('refused', 1);
  });

  it('follows a crash and the restart of its replica', async () => {
    await clients.functions.deployFunction({ spec: specOf('crashing') });
    const [id] = await serves('crashing', 1);
    bench.junctiond.set(id!, instanceV1.InstanceState.INSTANCE_STATE_BACKING_OFF, {
      reason: 'it exited with status 3',
      restarts: 1,
    });
    await until('no route', () => gateway.serving('crashing.openfaas-fn').length === 0);
    expect(await get('crashing')).toMatchObject({ availableReplicas: 0, reason: 'it exited with status 3' });
    expect(gateway.table.get('crashing.openfaas-fn')?.failure).toBe('');
    bench.junctiond.listen(id!);
    expect(await serves('crashing', 1)).toEqual([id]);
  });

  it('replaces an instance that is lost', async () => {
    await clients.functions.deployFunction({ spec: specOf('lost') });
    const [id] = await serves('lost', 1);
    bench.junctiond.lose(id!);
    await until('another one', () => {
      const [next] = gateway.serving('lost.openfaas-fn');
      return next !== undefined && next !== id;
    });
  });

  it('deletes a function with all its replicas, those too that are on their way', async () => {
    bench.junctiond.behaviours.set('doomed:1', 'stays starting');
    await clients.functions.deployFunction({ spec: specOf('doomed') });
    const first = await until('an instance', () => idsOf('doomed')[0]);
    bench.junctiond.listen(first);
    await serves('doomed', 1);
    const { promise, resolve } = Promise.withResolvers<void>();
    bench.junctiond.createGate = promise;
    await clients.functions.scaleFunction({ name: 'doomed', namespace: '', replicas: 3 });
    await until(
      'creations under way',
      () => bench.junctiond.callsOf('create').filter((c) => c.includes(' doomed-')).length === 3,
    );
    await clients.functions.deleteFunction({ name: 'doomed', namespace: '' });
    await until('no route', () => !gateway.table.has('doomed.openfaas-fn'));
    await until('the first one to go, without the others', () => !bench.junctiond.ids().includes(first));
    resolve();
    bench.junctiond.createGate = Promise.resolve();
    await until('the late ones to come and go', () => {
      const deleted = bench.junctiond.callsOf('delete').filter((c) => c.includes(' doomed-'));
      return deleted.length === 3 && idsOf('doomed').length === 0;
    });
    await expect(get('doomed')).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('does not mistake a replica of a deleted function for one of its successor', async () => {
    await clients.functions.deployFunction({ spec: specOf('phoenix') });
    const [before] = await serves('phoenix', 1);
    await clients.functions.deleteFunction({ name: 'phoenix', namespace: '' });
    await clients.functions.deployFunction({ spec: specOf('phoenix') });
    await until('a replica of its own', () => {
      const [id] = gateway.serving('phoenix.openfaas-fn');
      return id !== undefined && id !== before && idsOf('phoenix').length === 1;
    });
  });

  it('stops a replica at its deadline when a gateway does not report', async () => {
    const mute = bench.gateway(provider, 'mute');
    mute.reports = false;
    await until('its snapshot', () => mute.updates.length > 0);
    const labels = { entries: { 'com.openfaas.timeout': '300ms' } };
    const envVars = { entries: { grace_period: '200ms' } };
    await clients.functions.deployFunction({ spec: specOf('patient', { labels, envVars }) });
    await serves('patient', 1);
    await clients.functions.scaleFunction({ name: 'patient', namespace: '', replicas: 0 });
    await until('draining', () => gateway.draining('patient.openfaas-fn').length === 1);
    await until('the end', () => idsOf('patient').length === 0);
    await mute.stop();
  });

  it('waits for the image beside everything else, and can be deleted meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    bench.junctiond.missingImage = new RpcError('unavailable', 'the registry cannot be reached');
    await clients.functions.deployFunction({ spec: specOf('remote') });
    await until('the reason', async () => (await get('remote')).reason.includes('the registry cannot be reached'));
    bench.junctiond.imageGate = promise;
    bench.junctiond.missingImage = undefined;
    await until(
      'another attempt',
      () => bench.junctiond.callsOf('image').filter((c) => c === 'image remote:1').length > 2,
    );
    await clients.functions.scaleFunction({ name: 'remote', namespace: '', replicas: 2 });
    resolve();
    bench.junctiond.imageGate = Promise.resolve();
    await serves('remote', 2);
    await clients.functions.deleteFunction({ name: 'remote', namespace: '' });
    await until('none left', () => idsOf('remote').length === 0);
  });

  it('retries a removal that fails', async () => {
    await clients.functions.deployFunction({ spec: specOf('sticky') });
    await serves('sticky', 1);
    bench.junctiond.deleteError = new RpcError('internal', 'cannot remove the cgroup');
    await clients.functions.deleteFunction({ name: 'sticky', namespace: '' });
    await until('an attempt', () => bench.junctiond.callsOf('delete').some((c) => c.includes(' sticky-')));
    bench.junctiond.deleteError = undefined;
    await until('none left', () => idsOf('sticky').length === 0);
  });

  it('measures its calls and serves its metrics', async () => {
    const text = await provider.telemetry.scrape();
    expect(text).toMatch(
      /provider_http_requests_total\{[^}]*code="200"[^}]*path="\/junctiond.function.v1.FunctionService\/DeployFunction"[^}]*\} \d+/,
    );
    expect(text).toMatch(/provider_http_requests_total\{[^}]*code="404"/);
    expect(text).toMatch(/provider_http_request_duration_seconds_bucket\{/);
    expect(text).toMatch(/provider_function_replicas_ready\{[^}]*function_name="full.openfaas-fn"[^}]*\} 1/);
    expect(text).toMatch(/provider_gateways_connected(\{\})? 1/);
  });

  it('says what it is', async () => {
    const info = await clients.info.getInfo({});
    expect(info).toMatchObject({ provider: 'junctiond', orchestration: 'junction' });
    expect(Object.values(info).every((value) => value !== '')).toBe(true);
  });
});
