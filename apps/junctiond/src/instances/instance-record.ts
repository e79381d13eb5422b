// SPDX-License-Identifier: Apache-2.0
// What junctiond keeps of an instance on disk (spec.json), so that the next junctiond goes on where this one ended. Secrets
// are not in it; see secrets-folder.ts.
import type { InstanceExit, InstanceNetwork, InstanceSpec, InstanceState } from '@junctiond/instance-model';

import { isRecord } from '../images/image-config.js';

/** The guest's first process, with the image's configuration and the request merged. */
export interface GuestProcess {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
}

/** A process of the host, by the two numbers that name it for ever. */
export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat (proc(5)). */
  readonly startTimeTicks: bigint;
}

/** Why an instance in the state `stopping` was told to end. */
export type StopCause = 'asked' | 'notListening';

export interface InstanceRecord {
  readonly spec: InstanceSpec;
  /** Index of its address, MAC and host uids. */
  readonly slot: number;
  readonly imageDigest: string;
  readonly guest: GuestProcess;
  readonly hasSecrets: boolean;
  readonly createdAtMs: number;
  readonly state: InstanceState;
  readonly reason: string;
  readonly stopCause?: StopCause;
  /** Delete it as soon as it is gone. */
  readonly isDeleting?: boolean;
  /** Of the last start; absent in records of before there were NICs. */
  readonly network?: InstanceNetwork;
  readonly restarts: number;
  /** Ends in a row, for the back-off. */
  readonly failures: number;
  readonly startedAtMs?: number;
  readonly readyAtMs?: number;
  readonly lastExit?: InstanceExit;
  /** Stays when it runs again. */
  readonly lastFailure?: { readonly reason: string; readonly atMs: number };
}

const VERSION = 1;

export function formatInstanceRecord(record: InstanceRecord): string {
  // bigints as decimal text with an `n`, as JavaScript writes them.
  const replacer = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
  const { spec, lastExit, ...rest } = record;
  const exit = lastExit === undefined ? {} : { lastExit: { ...lastExit, at: lastExit.at.getTime() } };
  return JSON.stringify({ version: VERSION, spec, ...rest, ...exit }, replacer, 1);
}

/** Undefined when the text is not a record of this version (half written before a power cut, or of another version). */
export function parseInstanceRecord(text: string): InstanceRecord | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(document) || document['version'] !== VERSION || !isRecord(document['spec'])) {
    return undefined;
  }
  const { version: _version, spec, lastExit, ...rest } = document;
  const memory = bigintOf(spec['memoryLimitBytes']);
  const cpu = bigintOf(spec['cpuLimitMillicores']);
  if (memory === undefined || cpu === undefined) {
    return undefined;
  }
  const exit = isRecord(lastExit) ? { lastExit: { ...lastExit, at: new Date(Number(lastExit['at'])) } } : {};
  return {
    ...rest,
    ...exit,
    // Records of earlier versions have no `allow`.
    spec: { allow: [], ...spec, memoryLimitBytes: memory, cpuLimitMillicores: cpu },
  } as unknown as InstanceRecord;
}

function bigintOf(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : undefined;
}
