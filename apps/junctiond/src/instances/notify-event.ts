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
  | { readonly kind: 'closed'; readonly id: string; readonly guestPort: number; readonly monitorPid?: number };

/** Undefined for what is no event, and for those that say nothing here: an exit is seen by the process's end. */
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
    default:
      return undefined;
  }
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}
