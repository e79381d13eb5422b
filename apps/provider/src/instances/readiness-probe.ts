// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import type { Endpoint } from '../domain/replica.js';

/** Over the network: a replica with a NIC is reached by the uplink, and without one it is ready because it listens. */
type Target = Pick<Endpoint, 'host' | 'port'>;

/** A program that does not answer its ready path by then is taken for ready: it may serve each request slowly. */
const ANSWER_MS = 250;
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 500;
/** Of the status line `HTTP/1.1 503 …` (RFC 9112, 4). */
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})/;

/**
 * Resolves when a replica that listens is ready as of-watchdog means it: as soon as its ready path answers anything but
 * 503. A program that knows no such path, speaks no HTTP or does not answer in time is ready because it listens.
 * Rejects with the signal's reason.
 */
export async function untilReady(endpoint: Target, path: string, signal: AbortSignal): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  while ((await askStatus(endpoint, path, signal)) === 503) {
    await pause(pauseMs, signal);
    pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
  }
  signal.throwIfAborted();
}

/** Undefined: no status came. */
function askStatus({ host, port }: Target, path: string, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let text = '';
    const finish = (): void => {
      signal.removeEventListener('abort', finish);
      clearTimeout(timer);
      socket.destroy();
      const status = STATUS_LINE.exec(text)?.[1];
      resolve(status === undefined ? undefined : Number(status));
    };
    const timer = setTimeout(finish, ANSWER_MS);
    signal.addEventListener('abort', finish, { once: true });
    socket.on('error', finish);
    socket.on('close', finish);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.length >= 'HTTP/1.1 503'.length) {
        finish();
      }
    });
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: junctiond-provider\r\nConnection: close\r\n\r\n`,
    );
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal.aborted) {
      onAbort();
    }
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
