// SPDX-License-Identifier: Apache-2.0
// What junction_run reports of an instance while it runs: one line of JSON an event. Ports come out of shared memory that the
// guest can write to, so they are checked here.
import { isRecord } from '../images/image-config.js';
import type { ProcessId } from './instance-record.js';
import { processId } from './status-file.js';

export type NotifyEvent =
  | { readonly kind: 'started'; readonly id: string; readonly guest: ProcessId; readonly monitorPid?: number }
  | {
      readonly kind: 'listening';
      readonly id: string;
      readonly guestPort: number;
      readonly hostPort: number;
      readonly monitorPid?: number;
    }
  | { readonly kind: 'closed'; readonly id: string; readonly guestPort: number; readonly monitorPid?: number }
  | UprocEvent;

/** Of a further uProc of an instance, whose junction_run is not the instance's. */
export type UprocEvent =
  | { readonly kind: 'uprocStarted'; readonly id: string; readonly monitorPid: number; readonly pid: number }
  | {
      readonly kind: 'uprocExited';
      readonly id: string;
      readonly monitorPid: number;
      /** As a shell has it: 128 + signal, 126 and 127 for what cannot be run, 125 for what failed before. */
      readonly exitCode: number;
      /** Why there never was a process. */
      readonly error?: string;
    };

/** Undefined for what is no event, and for those that say nothing here: an instance's exit is seen by its process's end. */
export function parseNotifyEvent(line: string): NotifyEvent | undefined {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(event)) {
    return undefined;
  }
  const { id, guestPort, hostPort, protocol } = event;
  if (typeof id !== 'string') {
    return undefined;
  }
  const monitorPid = typeof event['monitorPid'] === 'number' ? { monitorPid: event['monitorPid'] } : {};
  const isTcp = protocol === undefined || protocol === 'tcp';
  switch (event['event']) {
    case 'started': {
      const guest = processId(event['pid'], event['startTimeTicks']);
      return guest === undefined ? undefined : { kind: 'started', id, guest, ...monitorPid };
    }
    case 'listening':
      return isTcp && isPort(guestPort) && isPort(hostPort)
        ? { kind: 'listening', id, guestPort, hostPort, ...monitorPid }
        : undefined;
    case 'closed':
      return isTcp && isPort(guestPort) ? { kind: 'closed', id, guestPort, ...monitorPid } : undefined;
    case 'uprocStarted':
    case 'uprocExited':
      return parseUprocEvent(id, event);
    default:
      return undefined;
  }
}

function parseUprocEvent(id: string, event: Readonly<Record<string, unknown>>): UprocEvent | undefined {
  const { monitorPid, pid, exitCode, error } = event;
  if (!isPositive(monitorPid)) {
    return undefined;
  }
  if (event['event'] === 'uprocStarted') {
    return isPositive(pid) ? { kind: 'uprocStarted', id, monitorPid, pid } : undefined;
  }
  const reason = typeof error === 'string' && error !== '' ? { error } : {};
  return typeof exitCode === 'number' ? { kind: 'uprocExited', id, monitorPid, exitCode, ...reason } : undefined;
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}
