// SPDX-License-Identifier: Apache-2.0
export { backoffMs, type BackoffBounds } from './backoff.js';
export { createClient, type CallOptions, type ClientOptions, type RpcClient, type StreamOptions } from './client.js';
export { readRpcCredentials, type RpcCredentials } from './credentials.js';
export { serviceName, type AnyMethod, type Method, type RequestOf, type ResponseOf, type Service } from './method.js';
export { implement, type Handler, type Handlers, type Implementation, type RpcCall } from './rpc-call.js';
export { hasKind, RpcError, type ErrorKind } from './rpc-error.js';
export { serve, type RpcServer, type ServeOptions } from './server.js';
export { placeSocket, type PlacedSocket } from './unix-socket.js';
export { watchWithReconnect, type WatchOptions } from './watch.js';
