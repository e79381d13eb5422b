// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials as grpcCredentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, type Address } from '@junctiond/config';
import { functionV1 } from '@junctiond/contracts';
import { createClient, type RpcClient } from './client.js';
import { implement, type Handlers, type RpcCall } from './rpc-call.js';
import { RpcError } from './rpc-error.js';
import { serve, type RpcServer, type ServeOptions } from './server.js';

const { SecretServiceService, RouteServiceService } = functionV1;

const secretHandlers: Handlers<typeof SecretServiceService> = {
  listSecrets: async ({ namespace }) => ({ secrets: [{ name: 'one', namespace }] }),
  createSecret: async ({ name }) => {
    throw new RpcError('already_exists', `secret ${name} exists`);
  },
  updateSecret: async () => {
    throw new TypeError('the password is hunter2');
  },
  deleteSecret: async (_request, call) =>
    await new Promise((_resolve, reject) => call.signal.addEventListener('abort', () => reject(new Error('aborted')))),
};

const routeUpdate = (version: bigint): functionV1.RouteUpdate => ({
  snapshot: version === 1n,
  version,
  upserts: [],
  removes: [],
});

describe('serve', () => {
  let folder: string;
  let address: Address & { kind: 'unix' };
  const open: { stop(graceMs: number): Promise<void> }[] = [];
  const clients: { close(): void }[] = [];
  let defects: [string, unknown][];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rpc-'));
    address = { kind: 'unix', path: join(folder, 'test.sock') };
    defects = [];
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const server of open.splice(0)) await server.stop(0);
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (options: Partial<ServeOptions> = {}): Promise<RpcServer> => {
    const server = await serve({
      address,
      services: [implement(SecretServiceService, secretHandlers)],
      onDefect: (path, error) => defects.push([path, error]),
      ...options,
    });
    open.push(server);
    return server;
  };

  const secrets = (at: Address = address, token?: string): RpcClient<typeof SecretServiceService> => {
    const client = createClient(SecretServiceService, at, {
      deadlineMs: 10_000,
      ...(token === undefined ? {} : { credentials: { token: new Secret(token) } }),
    });
    clients.push(client);
    return client;
  };

  const routes = (
    handler: (request: functionV1.WatchRoutesRequest, call: RpcCall) => AsyncIterable<functionV1.RouteUpdate>,
  ) =>
    // The other methods of the service play no part here.
    ({ service: { watchRoutes: RouteServiceService.watchRoutes }, handlers: { watchRoutes: handler as never } });

  const routeClient = () => {
    const client = createClient(RouteServiceService, address, { deadlineMs: 10_000 });
    clients.push(client);
    return client;
  };

  it('answers a unary call on a unix socket that only its user may open', async () => {
    await start();
    expect(await secrets().listSecrets({ namespace: 'a' })).toEqual({ secrets: [{ name: 'one', namespace: 'a' }] });
    expect(statSync(address.path).mode & 0o777).toBe(0o600);
  });

  it('turns a kind into a status and back', async () => {
    await start();
    await expect(secrets().createSecret({ name: 'x', namespace: '', value: Buffer.of() })).rejects.toMatchObject({
      name: 'RpcError',
      kind: 'already_exists',
      message: 'secret x exists',
    });
    expect(defects).toEqual([]);
  });

  it('keeps the text of a defect to itself and reports it', async () => {
    await start();
    await expect(secrets().updateSecret({ name: 'x', namespace: '', value: Buffer.of() })).rejects.toMatchObject({
      kind: 'internal',
      message: 'internal error, see the log of the server',
    });
    expect(defects).toEqual([['/junctiond.function.v1.SecretService/UpdateSecret', expect.any(TypeError)]]);
  });

  it('fails a call whose deadline passes and tells the handler', async () => {
    const aborted = Promise.withResolvers<unknown>();
    await start({
      services: [
        implement(SecretServiceService, {
          ...secretHandlers,
          deleteSecret: (_request, call) => {
            expect(call.deadline).toBeInstanceOf(Date);
            call.signal.addEventListener('abort', () => aborted.resolve(undefined));
            return new Promise(() => undefined);
          },
        }),
      ],
    });
    await expect(secrets().deleteSecret({ name: 'x', namespace: '' }, { deadlineMs: 50 })).rejects.toMatchObject({
      kind: 'deadline_exceeded',
    });
    await aborted.promise;
  });

  it('cancels a call by its signal', async () => {
    await start();
    const abort = new AbortController();
    const call = secrets().deleteSecret({ name: 'x', namespace: '' }, { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('reports each finished call with its outcome', async () => {
    const finished: [string, string][] = [];
    await start({ onFinished: (path, outcome) => finished.push([path, outcome]) });
    await secrets().listSecrets({ namespace: '' });
    await secrets()
      .createSecret({ name: 'x', namespace: '', value: Buffer.of() })
      .catch(() => undefined);
    expect(finished).toEqual([
      ['/junctiond.function.v1.SecretService/ListSecrets', 'ok'],
      ['/junctiond.function.v1.SecretService/CreateSecret', 'already_exists'],
    ]);
  });

  it('fails at once when nobody serves, and waits when asked to', async () => {
    await expect(secrets().listSecrets({ namespace: '' })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/^No connection established\. Last error: .*ENOENT .*test\.sock$/),
    });
    const waiting = secrets().listSecrets({ namespace: 'b' }, { waitForReady: true });
    await start();
    expect((await waiting).secrets).toHaveLength(1);
  });

  it('streams at the pace of the reader and ends the handler when the reader stops', async () => {
    const ended = Promise.withResolvers<bigint>();
    await start({
      services: [
        routes(async function* () {
          let version = 0n;
          try {
            for (;;) yield routeUpdate(++version);
          } finally {
            ended.resolve(version);
          }
        }),
      ],
    });
    const seen: bigint[] = [];
    for await (const update of routeClient().watchRoutes({ gatewayId: 'g' }, { deadlineMs: Infinity })) {
      seen.push(update.version);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1n, 2n, 3n]);
    expect(await ended.promise).toBeGreaterThanOrEqual(3n);
  });

  it('passes the error of a stream on after what came before it', async () => {
    await start({
      services: [
        routes(async function* () {
          yield routeUpdate(1n);
          throw new RpcError('resource_exhausted', 'too slow');
        }),
      ],
    });
    const seen: bigint[] = [];
    const read = async () => {
      for await (const { version } of routeClient().watchRoutes({ gatewayId: 'g' }, { deadlineMs: 10_000 }))
        seen.push(version);
    };
    await expect(read()).rejects.toMatchObject({ kind: 'resource_exhausted', message: 'too slow' });
    expect(seen).toEqual([1n]);
  });

  it('ends open streams with unavailable when it stops, even if a handler does not listen', async () => {
    const server = await start({
      services: [
        routes(async function* () {
          yield routeUpdate(1n);
          await new Promise(() => undefined);
        }),
      ],
    });
    const stream = routeClient().watchRoutes({ gatewayId: 'g' }, { deadlineMs: Infinity })[Symbol.asyncIterator]();
    await stream.next();
    const next = stream.next();
    const stopped = server.stop(60_000);
    await expect(next).rejects.toMatchObject({ kind: 'unavailable', message: 'the server is stopping' });
    await stopped;
    expect(statSync(address.path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('replaces the socket of a killed process', async () => {
    // A socket file without a listener, as kill -9 leaves it.
    const dead = createServer();
    const bound = join(folder, 'dead');
    await new Promise<void>((resolve) => dead.listen(bound, resolve));
    renameSync(bound, address.path);
    await new Promise((resolve) => dead.close(resolve));
    expect(statSync(address.path).isSocket()).toBe(true);
    await start();
    expect((await secrets().listSecrets({ namespace: '' })).secrets).toHaveLength(1);
  });

  it('refuses a socket on which a process answers', async () => {
    await start();
    await expect(start()).rejects.toThrow(`another process already listens on ${address.path}`);
    expect((await secrets().listSecrets({ namespace: '' })).secrets).toHaveLength(1);
  });

  it('leaves the socket alone that a successor has put in its place', async () => {
    const first = await start();
    rmSync(address.path);
    await start();
    await first.stop(0);
    expect((await secrets().listSecrets({ namespace: '' })).secrets).toHaveLength(1);
  });

  it('refuses a service with a missing handler', async () => {
    const incomplete = { service: SecretServiceService, handlers: {} };
    await expect(start({ services: [incomplete] })).rejects.toThrow('/ListSecrets has no handler');
  });

  it('answers health checks and follows setServing', async () => {
    const server = await start();
    const { service: healthService } = await import('grpc-health-check');
    const client = new Client(`unix:${address.path}`, grpcCredentials.createInsecure());
    clients.push(client);
    const check = (service: string) =>
      new Promise((resolve, reject) => {
        const method = healthService['Check']!;
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize as never,
          method.responseDeserialize as never,
          { service },
          new Metadata(),
          (error: ServiceError | null, response?: unknown) => (error === null ? resolve(response) : reject(error)),
        );
      });
    expect(await check('')).toMatchObject({ status: 'SERVING' });
    expect(await check('junctiond.function.v1.SecretService')).toMatchObject({ status: 'SERVING' });
    server.setServing(false);
    expect(await check('')).toMatchObject({ status: 'NOT_SERVING' });
    await expect(check('nobody')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('lists its services by reflection', async () => {
    await start();
    const { loadSync } = await import('@grpc/proto-loader');
    const file = join(folder, 'reflection.proto');
    writeFileSync(
      file,
      `syntax = "proto3"; package grpc.reflection.v1;
       service ServerReflection { rpc ServerReflectionInfo(stream Request) returns (stream Response); }
       message Request { string host = 1; string file_containing_symbol = 4; string list_services = 7; }
       message Response { Files file_descriptor_response = 4; List list_services_response = 6; }
       message Files { repeated bytes file_descriptor_proto = 1; }
       message List { repeated Entry service = 1; } message Entry { string name = 1; }`,
    );
    const method = (loadSync(file)['grpc.reflection.v1.ServerReflection'] as never)['ServerReflectionInfo'] as {
      path: string;
      requestSerialize: (value: object) => Buffer;
      responseDeserialize: (bytes: Buffer) => object;
    };
    const client = new Client(`unix:${address.path}`, grpcCredentials.createInsecure());
    clients.push(client);
    const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
    const answers = stream[Symbol.asyncIterator]();
    stream.write({ listServices: '*' });
    expect((await answers.next()).value).toMatchObject({
      listServicesResponse: { service: [{ name: 'junctiond.function.v1.SecretService' }] },
    });
    stream.write({ fileContainingSymbol: 'junctiond.function.v1.SecretService' });
    expect((await answers.next()).value).toMatchObject({
      fileDescriptorResponse: { fileDescriptorProto: expect.arrayContaining([expect.any(Buffer)]) },
    });
    stream.end();
    await answers.next();
  });

  describe('on TCP', () => {
    const tcp: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };
    const token = 'a-token-of-sufficient-length';

    it('refuses to start without a token', async () => {
      await expect(start({ address: tcp })).rejects.toThrow('without a token');
    });

    it('serves only calls with the token', async () => {
      const server = await start({ address: tcp, credentials: { token: new Secret(token) } });
      expect((await secrets(server.address, token).listSecrets({ namespace: '' })).secrets).toHaveLength(1);
      for (const wrong of [undefined, `${token}x`, token.slice(1)]) {
        await expect(secrets(server.address, wrong).listSecrets({ namespace: '' })).rejects.toMatchObject({
          kind: 'unauthenticated',
          message: 'the call carries no valid token',
        });
      }
    });
  });
});
