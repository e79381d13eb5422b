// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type functionV1, instanceV1 } from '@junctiond/contracts';
import { FunctionState, SecretSealer, StateConnection } from '@junctiond/function-state';
import { createClient } from '@junctiond/rpc';
import { until } from '@junctiond/testing';
import type { FakeGateway } from './fake-gateway.fixture.js';
import { ProviderBench, type RunningProvider, specOf } from './provider.fixture.js';

const ROUTE = 'aes.openfaas-fn';
const KEY = { name: 'aes', namespace: '' };

describe('faults', () => {
  let bench: ProviderBench;
  let provider: RunningProvider;
  let gateway: FakeGateway;

  beforeEach(async () => {
    bench = await ProviderBench.start();
    provider = await bench.provider();
    gateway = bench.gateway(provider);
    await until('the provider to be ready', () => gateway.updates.length > 0);
  });
  afterEach(async () => {
    await bench.stop();
  });

  const deploy = async (on = provider): Promise<string> => {
    await on.clients.functions.deployFunction({ spec: specOf('aes') });
    return until('a replica', () => gateway.serving(ROUTE)[0]);
  };
  const get = async (on = provider): Promise<functionV1.FunctionMessage> =>
    (await on.clients.functions.getFunction({ ...KEY, usage: false })).function!;
  const healthOf = async ({ telemetry }: RunningProvider): Promise<{ status: number; text: string }> => {
    const response = await fetch(`http://127.0.0.1:${telemetry.port}/healthz`);
    return { status: response.status, text: await response.text() };
  };

  /** What grpc.health.v1 answers for the whole server; the messages are simple enough to be read here. */
  const isServing = async ({ socketPath }: RunningProvider): Promise<boolean> => {
    const check = {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: () => ({}),
      responseSerialize: () => Buffer.alloc(0),
      // Field 1, a varint: 1 = SERVING.
      responseDeserialize: (bytes: Buffer) => ({ isServing: bytes[0] === 8 && bytes[1] === 1 }),
    } as const;
    const client = createClient({ check }, { kind: 'unix', path: socketPath }, { deadlineMs: 10_000 });
    try {
      return (await client.check({}, { waitForReady: true })).isServing;
    } finally {
      client.close();
    }
  };

  it('a new provider finds everything as it was and touches nothing', async () => {
    const id = await deploy();
    await provider.clients.functions.scaleFunction({ ...KEY, replicas: 3 });
    await until('three replicas', () => gateway.serving(ROUTE).length === 3);
    const before = { ids: bench.junctiond.ids(), route: gateway.table.get(ROUTE), version: gateway.version };
    bench.junctiond.calls.length = 0;

    await provider.stop();
    expect(gateway.serving(ROUTE)).toHaveLength(3);
    const next = await bench.provider();
    await until('a snapshot of the new provider', () => {
      const last = gateway.updates.at(-1);
      return last?.snapshot === true && last.version > before.version;
    });
    expect(gateway.table.get(ROUTE)).toEqual(before.route);
    expect((await get(next)).availableReplicas).toBe(3);

    await next.clients.functions.scaleFunction({ ...KEY, replicas: 2 });
    await until('two replicas', () => bench.junctiond.ids().length === 2);
    expect(bench.junctiond.callsOf('create')).toEqual([]);
    expect(bench.junctiond.callsOf('secrets')).toEqual([]);
    expect(bench.junctiond.callsOf('delete')).toHaveLength(1);
    expect(before.ids).toContain(id);
  });

  it('a draining replica outlives the provider that drained it until its gateways are done', async () => {
    const id = await deploy();
    gateway.busy = [id];
    await provider.clients.functions.scaleFunction({ ...KEY, replicas: 0 });
    await until('draining', () => gateway.draining(ROUTE).length === 1);
    const { version } = gateway;
    await provider.stop();
    const next = await bench.provider('provider', { JUNCTION_PROVIDER_GATEWAY_ABSENCE: '2s' });
    await until('draining again', () => gateway.version > version && gateway.draining(ROUTE).length === 1);
    await next.clients.info.getInfo({});
    expect(bench.junctiond.ids()).toEqual([id]);
    gateway.busy = [];
    await gateway.report();
    await until('the end', () => bench.junctiond.ids().length === 0);
  });

  it('removes instances that nobody wants, and only those that are its own', async () => {
    await provider.stop();
    bench.junctiond.plant({
      id: 'orphan',
      labels: { 'managed-by': 'provider', function: 'gone', namespace: 'openfaas-fn', generation: '1' },
    });
    bench.junctiond.plant({ id: 'nameless', labels: { 'managed-by': 'provider' } });
    bench.junctiond.plant({ id: 'foreign', labels: { 'managed-by': 'somebody else' } });
    await bench.provider();
    await until('the orphans to go', () => bench.junctiond.ids().length === 1);
    expect(bench.junctiond.ids()).toEqual(['foreign']);
  });

  it('while junctiond is down routes stay, changes wait, and are made when it is back', async () => {
    const id = await deploy();
    await bench.junctiond.stop();
    await provider.clients.functions.scaleFunction({ ...KEY, replicas: 2 });
    await provider.clients.functions.deployFunction({ spec: specOf('late') });
    await until('the reason', async () => (await get()).reason === 'junctiond is not available');
    expect(gateway.serving(ROUTE)).toEqual([id]);
    expect(gateway.table.get('late.openfaas-fn')?.failure).toBe('');
    expect((await get()).availableReplicas).toBe(1);

    await bench.junctiond.start();
    await until('two replicas', () => gateway.serving(ROUTE).length === 2);
    await until('the late one', () => gateway.serving('late.openfaas-fn').length === 1);
    expect((await get()).reason).toBe('');
  });

  it('notices what happened to instances while junctiond was down', async () => {
    const id = await deploy();
    await bench.junctiond.stop();
    bench.junctiond.lose(id);
    await bench.junctiond.start();
    await until('another replica', () => {
      const [next] = gateway.serving(ROUTE);
      return next !== undefined && next !== id;
    });
  });

  it('a provider that starts while junctiond is down serves the routes last recorded, and removes nothing', async () => {
    const id = await deploy();
    const before = gateway.table.get(ROUTE);
    const version = gateway.version;
    await provider.stop();
    await bench.junctiond.stop();
    const next = await bench.provider();
    await until('the routes', () => gateway.version > version);
    expect(gateway.table.get(ROUTE)).toEqual(before);

    await bench.junctiond.start();
    await next.clients.functions.scaleFunction({ ...KEY, replicas: 2 });
    await until('two replicas', () => gateway.serving(ROUTE).length === 2);
    expect(gateway.serving(ROUTE)).toContain(id);
    expect(bench.junctiond.callsOf('delete')).toEqual([]);
  });

  it('while Redis is down it serves and reads, refuses changes, and goes on when Redis is back', async () => {
    const id = await deploy();
    await bench.redis.kill();
    const refused = await until('a refusal', async () => {
      const error: unknown = await provider.clients.functions
        .scaleFunction({ ...KEY, replicas: 2 })
        .catch((e: unknown) => e);
      return error instanceof Error ? error : undefined;
    });
    expect(refused).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('Redis') });
    expect((await get()).availableReplicas).toBe(1);
    expect(await healthOf(provider)).toMatchObject({ status: 200, text: expect.stringContaining('degraded') });

    bench.junctiond.set(id, instanceV1.InstanceState.INSTANCE_STATE_BACKING_OFF, { reason: 'crash' });
    await until('no route to it', () => gateway.serving(ROUTE).length === 0);
    const lastFailure = { reason: 'exited with code 1', at: new Date(1_700_000_000_000) };
    bench.junctiond.set(id, instanceV1.InstanceState.INSTANCE_STATE_STARTING, { lastFailure });
    bench.junctiond.listen(id);
    await until('its route again', () => gateway.serving(ROUTE).length === 1);
    expect(await get()).toMatchObject({ reason: '', lastFailure: { ...lastFailure, instance: id } });
    bench.junctiond.lose(id);
    await until('no route', () => gateway.serving(ROUTE).length === 0);
    expect(bench.junctiond.ids()).toEqual([]);

    await bench.redis.start();
    await until('a new replica', () => gateway.serving(ROUTE).length === 1);
    await provider.clients.functions.scaleFunction({ ...KEY, replicas: 2 });
    await until('two replicas', () => gateway.serving(ROUTE).length === 2);
  });

  it('a provider that starts while Redis is down sends no empty routes', async () => {
    const id = await deploy();
    await provider.stop();
    await bench.redis.kill();
    const updates = gateway.updates.length;
    const next = await bench.provider();
    expect((await healthOf(next)).status).toBe(503);
    expect(await isServing(next)).toBe(false);
    await expect(get(next)).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(next.clients.functions.listFunctions({ namespace: '', allNamespaces: true })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    expect(gateway.serving(ROUTE)).toEqual([id]);

    await bench.redis.start();
    await until('the snapshot', () => gateway.updates.length > updates);
    expect(gateway.updates.at(-1)?.upserts.map(({ functionName }) => functionName)).toEqual([ROUTE]);
    expect(gateway.serving(ROUTE)).toEqual([id]);
    expect((await healthOf(next)).status).toBe(200);
    expect(await isServing(next)).toBe(true);
  });

  it('does nothing with a Redis that has lost its data', async () => {
    const id = await deploy();
    const connection = StateConnection.open({ url: bench.redis.url });
    await connection.whenUp(AbortSignal.timeout(10_000));
    await connection.run((redis) => redis.flushall());
    connection.close();
    await bench.redis.kill();
    await bench.redis.start();
    await until('bad health', async () => (await healthOf(provider)).text.includes('has lost its data'));
    await expect(provider.clients.functions.scaleFunction({ ...KEY, replicas: 2 })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    expect(bench.junctiond.ids()).toEqual([id]);
    expect(gateway.serving(ROUTE)).toEqual([id]);
  });

  it('leaves a function alone whose record cannot be read', async () => {
    const id = await deploy();
    await provider.stop();
    const connection = StateConnection.open({ url: bench.redis.url });
    await connection.whenUp(AbortSignal.timeout(10_000));
    await connection.run((redis) => redis.hset('junction:junction:fn:openfaas-fn:aes', 'schema', '99'));
    connection.close();
    const next = await bench.provider();
    await next.clients.functions.deployFunction({ spec: specOf('other') });
    await until('the other one', () => gateway.serving('other.openfaas-fn').length === 1);
    expect(bench.junctiond.ids()).toContain(id);
    expect(bench.junctiond.callsOf('delete')).toEqual([]);
  });

  it('of two providers on one Redis one stands by, and takes over when the other is gone', async () => {
    const id = await deploy();
    const second = await bench.provider('second');
    const refused = await until('it to see the other one', async () => {
      const error: unknown = await second.clients.functions
        .scaleFunction({ ...KEY, replicas: 2 })
        .catch((caught: unknown) => caught);
      return String(error).includes('holds the lease') ? error : undefined;
    });
    expect(refused).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/^another provider \(process \d+ on .*\) holds the lease/),
    });
    expect((await healthOf(second)).status).toBe(503);
    await provider.stop();
    await until('the second to take over', async () => (await get(second)).availableReplicas === 1);
    await second.clients.functions.scaleFunction({ ...KEY, replicas: 2 });
    await until('two replicas', () => bench.junctiond.ids().length === 2);
    expect(bench.junctiond.ids()).toContain(id);
  });

  it('a provider that lost its lease to another one stops acting', async () => {
    await deploy();
    const thief = StateConnection.open({ url: bench.redis.url });
    await thief.whenUp(AbortSignal.timeout(10_000));
    const state = new FunctionState(thief, 'junction', new SecretSealer(Buffer.alloc(32)));
    await thief.run((redis) => redis.del('junction:junction:lease'));
    const owner = { node: 'other-node', pid: 1, startTicks: '1', nonce: 'thief' };
    expect((await state.lease.acquire(owner, 60_000)).kind).toBe('held');
    await until('standing by', async () => {
      const error: unknown = await provider.clients.functions
        .scaleFunction({ ...KEY, replicas: 0 })
        .catch((e: unknown) => e);
      return error instanceof Error && error.message.includes('other-node');
    });
    bench.junctiond.plant({
      id: 'orphan',
      labels: { 'managed-by': 'provider', function: 'x', namespace: 'y', generation: '1' },
    });
    await provider.clients.info.getInfo({});
    expect(bench.junctiond.ids()).toContain('orphan');
    await state.lease.release(owner);
    await until('acting again', () => !bench.junctiond.ids().includes('orphan'));
    thief.close();
  });

  it('waits with the route until /_/ready says so', async () => {
    let isReady = false;
    let asked = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        asked += 1;
        socket.end(isReady ? 'HTTP/1.1 200 OK\r\n\r\n' : 'HTTP/1.1 503 Service Unavailable\r\n\r\n');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const hostPort = (server.address() as AddressInfo).port;
    try {
      bench.junctiond.behaviours.set('aes:1', 'stays starting');
      await provider.clients.functions.deployFunction({ spec: specOf('aes') });
      const id = await until('the instance', () => bench.junctiond.ids()[0]);
      const ports = [{ guestPort: 8080, host: '127.0.0.1', hostPort }];
      bench.junctiond.set(id, instanceV1.InstanceState.INSTANCE_STATE_READY, { ports });
      await until('it to be asked twice', () => asked >= 2);
      expect(gateway.serving(ROUTE)).toEqual([]);
      isReady = true;
      await until('the route', () => gateway.serving(ROUTE)[0] === id);
      expect(gateway.table.get(ROUTE)?.replicas[0]?.port).toBe(hostPort);
    } finally {
      server.close();
    }
  });

  it('one gateway that falls behind or goes away does not hold up the others', async () => {
    const slow = bench.gateway(provider, 'slow');
    await until('its snapshot', () => slow.updates.length > 0);
    slow.reports = false;
    const id = await deploy();
    await provider.clients.functions.scaleFunction({ ...KEY, replicas: 0 });
    await until('draining', () => gateway.draining(ROUTE).length === 1);
    await provider.clients.info.getInfo({});
    expect(bench.junctiond.ids()).toEqual([id]);
    await slow.stop();
    await until('the end once it is gone for good', () => bench.junctiond.ids().length === 0);
  });
});
