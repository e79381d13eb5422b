// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from '@jest/globals';
import { addonFile, useAddon } from './addon.js';
import type { IngressEvents, IngressOptions, Route, RouteReplica } from './ingress.types.js';

/** The addon under test: the release build, or another one, a debug build say, by this variable. */
export function testAddonFile(): string {
  const path = process.env['JUNCTION_TEST_ADDON_FILE'];
  if (path !== undefined) useAddon(path);
  return addonFile();
}

const undo: (() => void | Promise<void>)[] = [];

/** Runs `action` when the test is over, the last one first. */
export function afterThisTest(action: () => void | Promise<void>): void {
  undo.push(action);
}

afterEach(async () => {
  for (let action = undo.pop(); action !== undefined; action = undo.pop()) {
    await action();
  }
});

/** A folder of the test's own. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'junction-binding-'));
  afterThisTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server that stands in for a function (a port) or the API (a socket path). Returns its port. */
export async function startServer(handler: RequestListener, path?: string): Promise<number> {
  const server = createServer(handler);
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  afterThisTest(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return path === undefined ? (server.address() as AddressInfo).port : 0;
}

export interface Nic {
  path: string;
  kill(): Promise<void>;
}

/** A NIC that sleeps, and sends each frame back. */
export async function startNic(links = 1, queuePairs = 1): Promise<Nic> {
  const path = join(testFolder(), 'links.sock');
  const program = join(dirname(testAddonFile()), 'junction_nic_echo');
  const child = spawn(program, [path, String(links), String(queuePairs)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed;
  };
  afterThisTest(kill);
  await once(child.stdout, 'data');
  return { path, kill };
}

/** Options that fit a test; the API's socket does not exist unless the test makes it. */
export function testOptions(options: Partial<IngressOptions> = {}): IngressOptions {
  return { host: '127.0.0.1', port: 0, apiSocketPath: join(testFolder(), 'api.sock'), ...options };
}

/** Events that are collected. */
export class CollectedEvents implements IngressEvents {
  readonly coldStarts: string[] = [];
  readonly idleReplicas: string[] = [];
  readonly errors: Error[] = [];

  onColdStart(functionName: string): void {
    this.coldStarts.push(functionName);
  }
  onReplicaIdle(replicaId: string): void {
    this.idleReplicas.push(replicaId);
  }
  onError(error: Error): void {
    this.errors.push(error);
  }
}

export function replica(port: number, id = `replica-${port}`): RouteReplica {
  return { id, host: '127.0.0.1', port, state: 'ready' };
}

export function route(functionName: string, replicas: readonly RouteReplica[], changes: Partial<Route> = {}): Route {
  return { functionName, replicas, timeoutMs: 0, maxInflight: 0, startsFromZero: true, ...changes };
}

/** Runs a Node.js program of its own; `addon` holds the addon's exports there. Returns its exit code and output. */
export async function runProgram(body: string): Promise<{ code: number | null; output: string }> {
  const head = `const addon = require(${JSON.stringify(testAddonFile())});\n`;
  const child = spawn(process.execPath, ['--eval', head + body], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
