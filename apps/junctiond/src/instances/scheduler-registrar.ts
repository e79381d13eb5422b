// SPDX-License-Identifier: Apache-2.0
// Tells the scheduler daemon which instances run. Over its unix socket, one JSON object a line; the first line after each
// connect is the whole set, so that neither side's restart leaves anything behind. While the daemon is down nothing waits for
// it: the folder of its socket is watched, and when the socket appears the connection is made.
import { type FSWatcher, watch } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';

import type { NetworkRule } from '@junctiond/instance-model';

import type { Clock } from '../clock.js';

export interface SchedulerEntry {
  readonly id: string;
  /** Path of the instance's control block. */
  readonly control: string;
  /** Host pid of the guest's first process. */
  readonly pid: number;
  readonly coreLimit: number;
  /** Absent: it has no NIC. */
  readonly linksPath?: string;
  readonly number?: number;
  readonly ip?: string;
  readonly ip6?: string;
  readonly mac?: string;
  readonly allow?: readonly NetworkRule[];
}

export interface SchedulerRegistrarParts {
  readonly socketPath: string;
  readonly clock: Clock;
  connected(instances: number): void;
  /** Something the daemon complains of, or a failure of the connection that is more than its absence. */
  trouble(message: string, cause: unknown): void;
}

/** The socket's name appears a moment before its owner accepts connections. */
const RETRY_MS = [10, 50, 250, 1000];
const MAX_ANSWER_BYTES = 64 * 1024;

export class SchedulerRegistrar {
  readonly #parts: SchedulerRegistrarParts;
  readonly #entries = new Map<string, SchedulerEntry>();
  #watcher: FSWatcher | undefined;
  #socket: Socket | undefined;
  #isConnected = false;
  #attempt = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: SchedulerRegistrarParts) {
    this.#parts = parts;
  }

  /** Begins to look for the daemon; the folder of its socket exists. */
  open(): void {
    const { socketPath } = this.#parts;
    this.#watcher = watch(dirname(socketPath), { persistent: false }, (_, name) => {
      if (name === basename(socketPath)) {
        this.#attempt = 0;
        this.#connect();
      }
    });
    this.#watcher.on('error', (cause) => {
      this.#parts.trouble('the folder of the scheduler’s socket cannot be watched', cause);
    });
    this.#connect();
  }

  set(entry: SchedulerEntry): void {
    const isKnown = this.#entries.has(entry.id);
    this.#entries.set(entry.id, entry);
    this.#send(isKnown ? { op: 'update', id: entry.id, coreLimit: entry.coreLimit } : { op: 'add', ...entry });
  }

  setCoreLimit(id: string, coreLimit: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && entry.coreLimit !== coreLimit) {
      this.set({ ...entry, coreLimit });
    }
  }

  remove(id: string): void {
    if (this.#entries.delete(id)) {
      this.#send({ op: 'remove', id });
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#cancelRetry?.();
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #connect(): void {
    this.#cancelRetry?.();
    if (this.#socket !== undefined) {
      return;
    }
    const socket = createConnection(this.#parts.socketPath);
    this.#socket = socket;
    socket.unref();
    socket.on('connect', () => {
      this.#attempt = 0;
      this.#isConnected = true;
      this.#send({ op: 'sync', instances: [...this.#entries.values()] });
      this.#parts.connected(this.#entries.size);
    });
    socket.on('data', (chunk) => {
      this.#complain(chunk.toString());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const wasConnected = this.#isConnected;
      this.#isConnected = false;
      if (this.#socket !== socket) {
        return;
      }
      this.#socket = undefined;
      const delayMs = wasConnected ? RETRY_MS[0] : RETRY_MS[this.#attempt];
      this.#attempt += 1;
      // Past the last attempt the watch tells when there is a reason for another.
      if (delayMs !== undefined) {
        this.#cancelRetry = this.#parts.clock.after(delayMs, () => {
          this.#connect();
        });
      }
    });
  }

  /** A daemon that does not read what it is sent is cut off, and gets the whole set when it is connected again. */
  #send(message: object): void {
    const socket = this.#socket;
    if (socket !== undefined && this.#isConnected) {
      socket.write(`${JSON.stringify(message)}\n`);
      if (socket.writableLength > MAX_ANSWER_BYTES * 64) {
        socket.destroy();
      }
    }
  }

  /** The daemon answers only what it does not take. */
  #complain(text: string): void {
    this.#parts.trouble(`the scheduler says: ${text.trim().slice(0, 500)}`, undefined);
  }
}
