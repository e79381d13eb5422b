// SPDX-License-Identifier: Apache-2.0
// What junction_run records of its instance in `<instance_dir>/status.json`, so that it is known without junctiond too.
import { readFile } from 'node:fs/promises';

import type { InstanceExit } from '@junctiond/instance-model';

import { isRecord } from '../images/image-config.js';
import { errorCode } from '../junctiond.error.js';
import type { ProcessId } from './instance-record.js';

export interface InstanceStatus {
  /** The guest's first process. */
  readonly guest?: ProcessId;
  /** The junction_run that watches it. */
  readonly monitor?: ProcessId;
  /** Absent while it runs. */
  readonly exit?: InstanceExit;
  /** Why junction_run itself failed. */
  readonly error?: string;
}

/** Undefined when there is no status, or none that can be read. */
export async function readStatus(file: string): Promise<InstanceStatus | undefined> {
  try {
    return parseStatus(await readFile(file, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

export function parseStatus(text: string): InstanceStatus | undefined {
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(status) || (status['state'] !== 'running' && status['state'] !== 'exited')) {
    return undefined;
  }
  const guest = processId(status['pid'], status['startTimeTicks']);
  const monitor = processId(status['monitorPid'], status['monitorStartTimeTicks']);
  const { exitCode, signal, oomKilled, exitedAtNs, error } = status;
  const exit: InstanceExit | undefined =
    status['state'] === 'exited'
      ? {
          // A shell's 128 + signal says nothing more.
          code: typeof exitCode === 'number' && !(typeof signal === 'number' && signal > 0) ? exitCode : 0,
          signal: typeof signal === 'number' ? signal : 0,
          outOfMemory: oomKilled === true,
          at: new Date(Number(exitedAtNs) / 1e6),
        }
      : undefined;
  return {
    ...(guest === undefined ? {} : { guest }),
    ...(monitor === undefined ? {} : { monitor }),
    ...(exit === undefined ? {} : { exit }),
    ...(typeof error === 'string' && error !== '' ? { error } : {}),
  };
}

/** A process id of the host as junction_run writes it; undefined where it is none. */
export function processId(pid: unknown, ticks: unknown): ProcessId | undefined {
  const isTicks =
    (typeof ticks === 'number' && Number.isSafeInteger(ticks)) ||
    (typeof ticks === 'string' && /^\d{1,19}$/.test(ticks));
  return typeof pid === 'number' && Number.isInteger(pid) && pid > 0 && pid < 2 ** 31 && isTicks
    ? { pid, startTimeTicks: BigInt(ticks) }
    : undefined;
}
