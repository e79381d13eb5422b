// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';
import { Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { formatAddress, type Address } from '@junctiond/config';
import { HealthImplementation } from 'grpc-health-check';
import { toServerCredentials, type RpcCredentials } from './credentials.js';
import { messageLimits, tcpOptions } from './channel-options.js';
import { serviceName } from './method.js';
import { addReflection } from './reflection.js';
import type { ErrorKind } from './rpc-error.js';
import type { Implementation } from './rpc-call.js';
import { toGrpcHandler } from './server-methods.js';
import { tokenInterceptor } from './token-interceptor.js';
import { placeSocket } from './unix-socket.js';

/** What `serve` needs. */
export interface ServeOptions {
  /** TCP needs a token in `credentials`; port 0 takes a free one. */
  readonly address: Address;
  readonly credentials?: RpcCredentials;
  readonly services: readonly Implementation[];
  /** Gets each error of a handler that has no kind: a defect, to be logged. Its caller sees INTERNAL only. */
  readonly onDefect: (path: string, error: unknown) => void;
  /** Gets each call that is over, for metrics. */
  readonly onFinished?: (path: string, outcome: ErrorKind | 'ok', seconds: number) => void;
}

/** A gRPC server that listens. */
export interface RpcServer {
  /** Where it listens; with the port that port 0 became. */
  readonly address: Address;
  /** What gRPC health checks answer for the whole server and for each of its services. Serving at first. */
  setServing(isServing: boolean): void;
  /** Takes no new calls, ends streams with UNAVAILABLE, lets unary calls finish until `graceMs`. Any number of times. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a gRPC server with health checking and reflection.
 * @throws when TCP is asked for without a token, a method has no handler, or the address is taken.
 */
export async function serve(options: ServeOptions): Promise<RpcServer> {
  const { address, credentials = {}, services, onDefect, onFinished = () => undefined } = options;
  if (address.kind === 'tcp' && credentials.token === undefined) {
    throw new Error(`refusing to serve gRPC on ${formatAddress(address)} without a token`);
  }
  const stopping = new AbortController();
  const server = new Server({
    ...messageLimits,
    ...(address.kind === 'tcp' ? tcpOptions : {}),
    interceptors:
      address.kind === 'tcp' && credentials.token !== undefined ? [tokenInterceptor(credentials.token)] : [],
  });
  for (const { service, handlers } of services) {
    const untyped: UntypedServiceImplementation = {};
    for (const [name, method] of Object.entries(service)) {
      const handler = handlers[name];
      if (handler === undefined) throw new Error(`${method.path} has no handler`);
      untyped[name] = toGrpcHandler(method, handler, { stopping: stopping.signal, onDefect, onFinished });
    }
    server.addService(service, untyped);
  }
  const names = services.map(({ service }) => serviceName(service));
  const health = new HealthImplementation();
  const setServing = (isServing: boolean) => {
    for (const name of ['', ...names]) health.setStatus(name, isServing ? 'SERVING' : 'NOT_SERVING');
  };
  setServing(true);
  health.addToServer(server);
  addReflection(server, names);

  const listener = await listen(server, address, credentials);
  let stopped: Promise<void> | undefined;
  const stop = async (graceMs: number): Promise<void> => {
    setServing(false);
    listener.remove();
    stopping.abort();
    await shutDown(server, graceMs);
  };
  return { address: listener.address, setServing, stop: (graceMs) => (stopped ??= stop(graceMs)) };
}

async function listen(
  server: Server,
  address: Address,
  credentials: RpcCredentials,
): Promise<{ address: Address; remove: () => void }> {
  const serverCredentials = toServerCredentials(address, credentials);
  const bind = (target: string): Promise<number> =>
    new Promise((resolve, reject) => {
      server.bindAsync(target, serverCredentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
  if (address.kind === 'unix') {
    const placed = await placeSocket(address.path, async (path) => {
      await bind(`unix:${path}`);
    });
    return { address, remove: () => placed.remove() };
  }
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
  const port = await bind(`${host}:${address.port}`);
  return { address: { ...address, port }, remove: () => undefined };
}

function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
