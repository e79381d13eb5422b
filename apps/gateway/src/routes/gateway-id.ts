// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** Token of the name of this gateway process: unique, and the same for the life of the process. */
export const GATEWAY_ID = Symbol('GATEWAY_ID');

/** A new name: host and process for people, the rest because process ids come again. */
export function newGatewayId(): string {
  return `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
}
