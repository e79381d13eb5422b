// SPDX-License-Identifier: Apache-2.0
// The supervisor of one stack: node main.ts <run folder>. Started by `./junction up`, ended by `./junction down`.
// It uses nothing but Node.js itself, to stay small.
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';

import { rotateLog } from './log-rotation.ts';
import { NodeHost } from './node-host.ts';
import { Supervisor } from './supervisor.ts';
import { supervisorSocket } from './supervisor-protocol.ts';
import type { SupervisorAnswer, SupervisorRequest } from './supervisor-protocol.ts';

const runDir = process.argv[2];
if (runDir === undefined) {
  console.error('usage: main.ts <run folder>');
  process.exit(2);
}
const supervisor = new Supervisor(new NodeHost(runDir));
const socketPath = supervisorSocket(runDir);
const maxRequestBytes = 4 << 20;
let isEnding = false;
let turn: Promise<unknown> = Promise.resolve();

async function carryOut(request: SupervisorRequest): Promise<SupervisorAnswer> {
  if (isEnding && request.op === 'apply') return { error: 'it is ending' };
  switch (request.op) {
    case 'apply':
      await supervisor.apply(request.apps);
      break;
    case 'restart':
      if (!(await supervisor.restart(request.name))) return { error: `there is no app ${request.name}` };
      break;
    case 'stop':
      await supervisor.stop(request.names);
      break;
    case 'exit':
      await end();
      break;
    case 'status':
      break;
  }
  return { apps: supervisor.status(), pid: process.pid };
}

/** Stops all apps and listens no more; the process ends when the last answer is sent, or a client is too slow for it. */
async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  await supervisor.stopAll();
  server.close(() => process.exit(0));
  rmSync(socketPath, { force: true });
  setTimeout(() => process.exit(0), 5_000).unref();
}

async function answer(text: string): Promise<SupervisorAnswer> {
  const request = JSON.parse(text) as SupervisorRequest;
  if (request.op === 'status') return carryOut(request); // never waits for a long stop
  const work = turn.then(() => carryOut(request));
  turn = work.catch(() => undefined);
  return work;
}

function serve(socket: Socket): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > maxRequestBytes) socket.destroy();
    if (!text.endsWith('\n')) return;
    void answer(text)
      .catch((error: unknown): SupervisorAnswer => ({ error: String(error) }))
      .then((reply) => socket.end(`${JSON.stringify(reply)}\n`));
  });
}

rmSync(socketPath, { force: true });
const server = createServer(serve);
server.listen(socketPath);
setInterval(() => supervisor.logFiles().forEach((file) => rotateLog(file)), 30_000).unref();
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.on(name, () => void end());
}
process.on('SIGHUP', () => undefined); // the terminal it was started from may close
