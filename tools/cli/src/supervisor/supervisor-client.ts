// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import type { AppStatus } from './app-spec.ts';
import { supervisorSocket } from './supervisor-protocol.ts';
import type { SupervisorAnswer, SupervisorRequest } from './supervisor-protocol.ts';

/** What the supervisor of the stack answers; undefined if there is none. Throws if the request was refused. */
export async function askSupervisor(
  runDir: string,
  request: SupervisorRequest,
): Promise<{ apps: readonly AppStatus[]; pid: number } | undefined> {
  const socket = connect(supervisorSocket(runDir));
  const isThere = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  if (!isThere) return undefined;
  socket.write(`${JSON.stringify(request)}\n`);
  const reply = await text(socket);
  if (reply === '') throw new Error('the supervisor ended without an answer');
  const answer = JSON.parse(reply) as SupervisorAnswer;
  if ('error' in answer) throw new Error(`the supervisor: ${answer.error}`);
  return answer;
}
