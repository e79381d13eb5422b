// SPDX-License-Identifier: Apache-2.0
// Between grpc-js and handlers: a call becomes a request, a signal and a deadline; a result or an error goes back.
import { once } from 'node:events';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { AnyMethod } from './method.js';
import type { Handler, RpcCall } from './rpc-call.js';
import { inServerSpan } from './trace-context.js';
import { hasKind, type ErrorKind } from './rpc-error.js';
import { toStatus, type ErrorStatus } from './status-mapping.js';

/** What all methods of a server share. */
export interface MethodContext {
  /** Aborted when the server stops: open streams end with UNAVAILABLE, so that their callers reconnect. */
  readonly stopping: AbortSignal;
  /** Gets errors without a kind: defects. */
  readonly onDefect: (path: string, error: unknown) => void;
  /** Gets the outcome and duration of each call that is over. */
  readonly onFinished: (path: string, outcome: ErrorKind | 'ok', seconds: number) => void;
}

type AnyCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

/** The grpc-js handler of one method. */
export function toGrpcHandler(
  method: AnyMethod,
  handler: Handler<AnyMethod>,
  context: MethodContext,
): UntypedHandleCall {
  const { path } = method;
  /** Runs a call's work; answers its status when it failed. */
  const run = async (metadata: Metadata, work: () => Promise<void>): Promise<ErrorStatus | undefined> => {
    const startedMs = performance.now();
    const finish = (outcome: ErrorKind | 'ok') =>
      context.onFinished(path, outcome, (performance.now() - startedMs) / 1_000);
    try {
      await inServerSpan(metadata, path, work);
      finish('ok');
      return undefined;
    } catch (error) {
      finish(hasKind(error) ? error.kind : 'internal');
      return toStatus(error, (defect) => context.onDefect(path, defect));
    }
  };
  if (method.responseStream) {
    const items = handler as unknown as (request: unknown, call: RpcCall) => AsyncIterable<unknown>;
    const serve: handleServerStreamingCall<unknown, unknown> = (call) => {
      void run(call.metadata, () => pump(call, items, context)).then((failed) => {
        if (failed === undefined) call.end();
        else call.emit('error', failed);
      });
    };
    return serve;
  }
  const answer = handler as unknown as (request: unknown, call: RpcCall) => Promise<unknown>;
  const serve: handleUnaryCall<unknown, unknown> = (call, callback) => {
    const { rpcCall } = watchCall(call);
    let response: unknown;
    void run(call.metadata, async () => {
      response = await answer(call.request, rpcCall);
    }).then((failed) => {
      if (failed === undefined) callback(null, response);
      else callback(failed);
    });
  };
  return serve;
}

/** Writes what the handler yields, at the caller's pace, until it ends, fails, or nobody wants it any more. */
async function pump(
  call: ServerWritableStream<unknown, unknown>,
  items: (request: unknown, call: RpcCall) => AsyncIterable<unknown>,
  { stopping }: MethodContext,
): Promise<void> {
  const { rpcCall, controller } = watchCall(call);
  const { signal } = controller;
  const stop = () => controller.abort(new StreamStopped());
  stopping.addEventListener('abort', stop, { once: true });
  const iterator = items(call.request, rpcCall)[Symbol.asyncIterator]();
  try {
    if (stopping.aborted) stop();
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal);
      if (next.done === true) return;
      if (!call.write(next.value)) await once(call, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    if (signal.reason instanceof StreamStopped) throw signal.reason;
    // Cancelled: nobody is there to be told.
  } finally {
    stopping.removeEventListener('abort', stop);
    // Not awaited: a generator that waits for something else than the signal would hold the call open.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

class StreamStopped extends Error {
  readonly kind = 'unavailable';

  constructor() {
    super('the server is stopping');
  }
}

function watchCall(call: AnyCall): { rpcCall: RpcCall; controller: AbortController } {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort(new Error('the caller cancelled the call or its deadline passed')));
  const deadline = call.getDeadline();
  return {
    controller,
    rpcCall: {
      path: call.getPath(),
      deadline: deadline === Infinity ? undefined : new Date(deadline),
      signal: controller.signal,
    },
  };
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
