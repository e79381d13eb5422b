// SPDX-License-Identifier: Apache-2.0
export { RedisServer, type RedisServerOptions } from './redis-server.js';
