// SPDX-License-Identifier: Apache-2.0
import { Client as GrpcClient, Metadata, type CallOptions as GrpcCallOptions } from '@grpc/grpc-js';
import { formatAddress, type Address } from '@junctiond/config';
import { clientOptions, tcpOptions } from './channel-options.js';
import { toChannelCredentials, type RpcCredentials } from './credentials.js';
import type { AnyMethod, RequestOf, ResponseOf, Service } from './method.js';
import { RpcError } from './rpc-error.js';
import { fromServiceError, isServiceError } from './status-mapping.js';
import { injectTrace } from './trace-context.js';

/** How one call is made. */
export interface CallOptions {
  /** From now on; past it the call fails with `deadline_exceeded`. Infinity is for watches only. */
  readonly deadlineMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** Waits for a server that is down, up to the deadline, in place of failing with `unavailable` at once. */
  readonly waitForReady?: boolean;
}

/** A stream has no sensible default deadline, so each call says its own. */
export type StreamOptions = CallOptions & { readonly deadlineMs: number };

type Call<M extends AnyMethod> = M['responseStream'] extends true
  ? (request: RequestOf<M>, options: StreamOptions) => AsyncIterable<ResponseOf<M>>
  : (request: RequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>;

/** A typed client: one function a method. Failures are RpcErrors. */
export type RpcClient<S extends Service> = { readonly [K in keyof S]: Call<S[K]> } & {
  /** Ends the connection when its last call is over. */
  close(): void;
};

/** What a client needs. */
export interface ClientOptions {
  readonly credentials?: RpcCredentials;
  /** The deadline of each unary call that does not say its own. */
  readonly deadlineMs: number;
}

/** Makes a client. It connects with the first call and reconnects by itself. */
export function createClient<S extends Service>(service: S, address: Address, options: ClientOptions): RpcClient<S> {
  const { credentials = {}, deadlineMs } = options;
  const channel = new GrpcClient(toTarget(address), toChannelCredentials(address, credentials), {
    ...clientOptions,
    ...(address.kind === 'tcp' ? tcpOptions : {}),
  });
  const metadataFor = ({ waitForReady = false }: CallOptions): Metadata => {
    const metadata = new Metadata({ waitForReady });
    if (address.kind === 'tcp' && credentials.token !== undefined) {
      metadata.set('authorization', `Bearer ${credentials.token.reveal()}`);
    }
    injectTrace(metadata);
    return metadata;
  };
  const calls: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(service)) {
    calls[name] = method.responseStream
      ? (request: unknown, call: StreamOptions) => stream(channel, method, request, call, metadataFor(call))
      : (request: unknown, call: CallOptions = {}) =>
          unary(channel, method, request, { deadlineMs, ...call }, metadataFor(call));
  }
  calls['close'] = () => channel.close();
  return calls as RpcClient<S>;
}

function unary(
  channel: GrpcClient,
  method: AnyMethod,
  request: unknown,
  options: StreamOptions,
  metadata: Metadata,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted === true) {
      reject(new RpcError('cancelled', 'cancelled before the call', { cause: signal.reason }));
      return;
    }
    const cancel = () => call.cancel();
    const call = channel.makeUnaryRequest(
      method.path,
      method.requestSerialize as (value: unknown) => Buffer,
      method.responseDeserialize as (value: Buffer) => unknown,
      request,
      metadata,
      toGrpcOptions(options),
      (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(response);
        else reject(withLimit(fromServiceError(error), options.deadlineMs));
      },
    );
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** Our own deadline's error names the limit; grpc-js' words for it vary with where the call was at that time. */
function withLimit(error: RpcError, deadlineMs: number): RpcError {
  return error.kind === 'deadline_exceeded' && error.message.startsWith('Deadline exceeded')
    ? new RpcError(error.kind, `no answer within ${deadlineMs} ms`, { cause: error })
    : error;
}

async function* stream(
  channel: GrpcClient,
  method: AnyMethod,
  request: unknown,
  options: StreamOptions,
  metadata: Metadata,
): AsyncGenerator {
  const { signal } = options;
  if (signal?.aborted === true) throw new RpcError('cancelled', 'cancelled before the call', { cause: signal.reason });
  const call = channel.makeServerStreamRequest(
    method.path,
    method.requestSerialize as (value: unknown) => Buffer,
    method.responseDeserialize as (value: Buffer) => unknown,
    request,
    metadata,
    toGrpcOptions(options),
  );
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message;
  } catch (error) {
    throw isServiceError(error) ? fromServiceError(error) : error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    // A consumer that stops early leaves a call that would go on for ever. No error event may go unheard afterwards.
    call.on('error', () => undefined);
    call.cancel();
  }
}

function toGrpcOptions({ deadlineMs }: StreamOptions): GrpcCallOptions {
  return deadlineMs === Infinity ? {} : { deadline: Date.now() + deadlineMs };
}

/** The target that grpc-js dials. */
function toTarget(address: Address): string {
  return address.kind === 'unix' ? formatAddress(address) : `dns:${formatAddress(address)}`;
}
