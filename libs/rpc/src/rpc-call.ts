// SPDX-License-Identifier: Apache-2.0
import type { AnyMethod, RequestOf, ResponseOf, Service } from './method.js';

/** What a handler may want to know of the call that it serves. */
export interface RpcCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Undefined: the caller set none, as for watches. */
  readonly deadline: Date | undefined;
  /** Aborted when the caller went away, the deadline passed, or (streams only) the server stops. */
  readonly signal: AbortSignal;
}

/** Serves one method: a promise for unary methods, an async iterable for streams. */
export type Handler<M extends AnyMethod> = M['responseStream'] extends true
  ? (request: RequestOf<M>, call: RpcCall) => AsyncIterable<ResponseOf<M>>
  : (request: RequestOf<M>, call: RpcCall) => Promise<ResponseOf<M>>;

/** One handler for each method of a service. */
export type Handlers<S extends Service> = { readonly [K in keyof S]: Handler<S[K]> };

/** A service with its handlers, as `serve` takes it. */
export interface Implementation {
  readonly service: Service;
  readonly handlers: Readonly<Record<string, Handler<AnyMethod>>>;
}

/** Binds a service to its handlers. */
export function implement<S extends Service>(service: S, handlers: Handlers<S>): Implementation {
  return { service, handlers: handlers as unknown as Implementation['handlers'] };
}
