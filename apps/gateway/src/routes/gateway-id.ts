// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** Names this gateway process to the provider; unique, and the same for the life of the process. */
export const gatewayId = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
