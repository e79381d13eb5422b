// SPDX-License-Identifier: Apache-2.0
// The rules for what a caller may ask for. All faults are found at once, so that a caller can mend them in one go.
import { isIP } from 'node:net';

import { type InstanceRequest, NODE_HOST, type UprocRequest } from './instance-spec.js';
import { MAX_NETWORK_RULES, type NetworkRule, parseNetwork } from './network-rule.js';

/** One broken rule. */
export interface SpecFault {
  /** Path of the field as in the API, `uproc.env` for example. */
  readonly field: string;
  /** A sentence without a full stop, for people; never holds a secret's content. */
  readonly message: string;
}

/** An id becomes a folder, a cgroup and a part of file names. */
export const INSTANCE_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** A DNS label's length (RFC 1035, 2.3.4); function names may hold dots and underscores. */
const HOST_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const SECRET_NAME = /^(?!\.{1,2}$)[-._A-Za-z0-9]{1,253}$/;
const USER_NAME = /^[A-Za-z_][-A-Za-z0-9_.]{0,31}$/;
const USER_IDS = /^(\d{1,5})(?::(\d{1,5}))?$/;
const USER_NAME_AND_GROUP = /^([^:]+):([^:]+)$/;

/** Each instance owns 65,536 host uids; the last one is "nobody" for the host. */
const MAX_GUEST_ID = 65_534;
/** Linux's MAX_ARG_STRLEN (128 KiB) less the room for an end mark. */
const MAX_STRING_BYTES = 131_071;
/** A quarter of Linux's 8 MiB stack is the limit for arguments and environment together; half of that is enough. */
const MAX_ARGS_AND_ENV_BYTES = 1024 * 1024;
/** As Kubernetes limits a Secret. */
const MAX_SECRETS_BYTES = 1024 * 1024;
const MAX_LABELS_BYTES = 256 * 1024;
const MAX_HOSTS = 64;
/** Less does not hold the Junction kernel's arena and a libc. */
const MIN_MEMORY_BYTES = 4n * 1024n * 1024n;
const MAX_MEMORY_BYTES = 1n << 50n;
const MIN_PIDS = 4;
const MAX_PIDS = 4_194_304; // PID_MAX_LIMIT of 64-bit Linux
/** More than any machine has; above the node's own cores the limit is lowered to those, not refused. */
const MAX_CORE_LIMIT = 4096;
const MAX_DEADLINE_MS = 3_600_000;
const MAX_CPU_MILLICORES = 1_000_000n;
const MIN_CPU_MILLICORES = 10n; // the kernel refuses a cfs quota below 1 ms in a period of 100 ms

/** Every broken rule of `request`; empty when it is valid. */
export function validateInstanceRequest(request: InstanceRequest): SpecFault[] {
  const faults: SpecFault[] = [];
  const check = (holds: boolean, field: string, message: string): void => {
    if (!holds) faults.push({ field, message });
  };

  check(INSTANCE_ID.test(request.id), 'id', 'must be 1 to 63 of a-z, 0-9 and -, and not begin with -');
  check(request.image !== '', 'image', 'is missing');
  check(
    request.hostname === '' || HOST_NAME.test(request.hostname),
    'hostname',
    'must be 1 to 63 of letters, digits, -, _ and ., beginning and ending with a letter or digit',
  );
  faults.push(...uprocFaults(request.uproc));
  check(
    isWhole(request.coreLimit, 0, MAX_CORE_LIMIT),
    'core_limit',
    `must be at most ${MAX_CORE_LIMIT} (0 = the default)`,
  );
  check(
    request.memoryLimitBytes === 0n ||
      (request.memoryLimitBytes >= MIN_MEMORY_BYTES && request.memoryLimitBytes <= MAX_MEMORY_BYTES),
    'memory_limit_bytes',
    `must be ${MIN_MEMORY_BYTES} to ${MAX_MEMORY_BYTES} (0 = the default)`,
  );
  check(
    request.pidsLimit === 0 || isWhole(request.pidsLimit, MIN_PIDS, MAX_PIDS),
    'pids_limit',
    `must be ${MIN_PIDS} to ${MAX_PIDS} (0 = the default)`,
  );
  check(
    request.cpuLimitMillicores === 0n ||
      (request.cpuLimitMillicores >= MIN_CPU_MILLICORES && request.cpuLimitMillicores <= MAX_CPU_MILLICORES),
    'cpu_limit_millicores',
    `must be ${MIN_CPU_MILLICORES} to ${MAX_CPU_MILLICORES} (0 = by the core limit)`,
  );
  check(isWhole(request.servicePort, 0, 65_535), 'service_port', 'must be a TCP port');
  for (const [field, value] of [
    ['listen_deadline_ms', request.listenDeadlineMs],
    ['grace_period_ms', request.gracePeriodMs],
  ] as const) {
    check(isWhole(value, 0, MAX_DEADLINE_MS), field, `must be at most ${MAX_DEADLINE_MS} (0 = the default)`);
  }
  faults.push(...secretFaults(request.secrets), ...hostFaults(request.hosts), ...allowFaults(request.allow));
  check(
    byteLength(Object.entries(request.labels).flat()) <= MAX_LABELS_BYTES,
    'labels',
    `must not hold more than ${MAX_LABELS_BYTES} bytes`,
  );
  return faults;
}

/** The broken rules of a secrets folder's content, by name; also for an update of a running instance. */
export function secretFaults(secrets: Readonly<Record<string, Uint8Array>>): SpecFault[] {
  const names = Object.keys(secrets).filter((name) => !SECRET_NAME.test(name));
  const faults: SpecFault[] = names.map((name) => ({
    field: 'secrets',
    message: `${quote(name)} is not a file name: 1 to 253 of letters, digits, -, _ and .`,
  }));
  const size_bytes = Object.values(secrets).reduce((sum, content) => sum + content.length, 0);
  if (size_bytes > MAX_SECRETS_BYTES) {
    faults.push({ field: 'secrets', message: `must not hold more than ${MAX_SECRETS_BYTES} bytes` });
  }
  return faults;
}

/** The broken rules of a guest process' description; also for one that is added to a running instance. */
export function uprocFaults(uproc: UprocRequest): SpecFault[] {
  const faults: SpecFault[] = [];
  const fault = (field: string, message: string): void => void faults.push({ field: `uproc.${field}`, message });

  if (uproc.args.some((text) => !isCString(text))) {
    fault('args', `must not hold NUL or more than ${MAX_STRING_BYTES} bytes in one argument`);
  }
  if (uproc.args[0] === '') {
    fault('args', 'the program is empty');
  }
  for (const [name, value] of Object.entries(uproc.env)) {
    if (name === '' || name.includes('=') || !isCString(`${name}=${value}`)) {
      fault(
        'env',
        `${quote(name)}: a name must not be empty or hold "=", and neither part may hold NUL or be too long`,
      );
    }
  }
  if (byteLength([...uproc.args, ...Object.entries(uproc.env).flat()]) > MAX_ARGS_AND_ENV_BYTES) {
    fault('env', `arguments and environment together must not hold more than ${MAX_ARGS_AND_ENV_BYTES} bytes`);
  }
  if (uproc.cwd !== '' && (!uproc.cwd.startsWith('/') || !isPath(uproc.cwd))) {
    fault('cwd', 'must be an absolute path');
  }
  if (uproc.user !== '' && !isUser(uproc.user)) {
    fault('user', `must be a name, "uid" or "uid:gid" with numbers up to ${MAX_GUEST_ID}`);
  }
  return faults;
}

function hostFaults(hosts: Readonly<Record<string, string>>): SpecFault[] {
  const entries = Object.entries(hosts);
  const faults: SpecFault[] = entries
    .filter(([name, address]) => !HOST_NAME.test(name) || (address !== NODE_HOST && isIP(address) === 0))
    .map(([name, address]) => ({
      field: 'hosts',
      message: `${quote(name)} -> ${quote(address)} is not a host name and an IP address`,
    }));
  if (entries.length > MAX_HOSTS) {
    faults.push({ field: 'hosts', message: `must not hold more than ${MAX_HOSTS} names` });
  }
  return faults;
}

function allowFaults(allow: readonly NetworkRule[]): SpecFault[] {
  const faults = allow.slice(0, MAX_NETWORK_RULES).flatMap(({ to, port }): SpecFault[] => {
    const network = parseNetwork(to);
    return [
      ...(network.ok ? [] : [{ field: 'allow', message: `${quote(to)} ${network.error}` }]),
      ...(isWhole(port, 0, 65_535) ? [] : [{ field: 'allow', message: `${port} is no port` }]),
    ];
  });
  if (allow.length > MAX_NETWORK_RULES) {
    faults.push({ field: 'allow', message: `must not hold more than ${MAX_NETWORK_RULES} destinations` });
  }
  return faults;
}

function isUser(user: string): boolean {
  const ids = USER_IDS.exec(user);
  if (ids !== null) {
    return Number(ids[1]) <= MAX_GUEST_ID && Number(ids[2] ?? 0) <= MAX_GUEST_ID;
  }
  const both = USER_NAME_AND_GROUP.exec(user);
  if (both !== null) {
    return [both[1] ?? '', both[2] ?? ''].every((part) => USER_NAME.test(part) || isGuestId(part));
  }
  return USER_NAME.test(user);
}

function isGuestId(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= MAX_GUEST_ID;
}

function isCString(text: string): boolean {
  return !text.includes('\0') && Buffer.byteLength(text) <= MAX_STRING_BYTES;
}

/** PATH_MAX less its end mark; no control characters, since paths are shown to people. */
function isPath(text: string): boolean {
  return Buffer.byteLength(text) <= 4095 && !/[\u0000-\u001f\u007f]/.test(text);
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function byteLength(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** Names come from outside: shown in full only where they are short. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
