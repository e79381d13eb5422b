// SPDX-License-Identifier: Apache-2.0
export { RedisServer, type RedisServerOptions } from './redis-server.js';
export { type ExchangeOptions, exchange, exchangeRaw, type HttpAnswer, keepAliveAgent } from './http-exchange.js';
export { freePort } from './free-port.js';
export { until, type UntilOptions } from './until.js';
