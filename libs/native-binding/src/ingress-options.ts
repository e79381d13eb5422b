// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';
import type { IngressOptions } from './ingress.types.js';
import { NativeError } from './native-error.js';

/** Defaults of every optional field of IngressOptions; an empty path = none. */
export const INGRESS_DEFAULTS = {
  workers: 1,
  spinUs: 100,
  maxConnections: 10_000,
  headerLimitBytes: 1024 * 1024,
  headerTimeoutMs: 30_000,
  idleTimeoutMs: 120_000,
  stallTimeoutMs: 60_000,
  connectTimeoutMs: 2_000,
  defaultTimeoutMs: 60_000,
  queueTimeoutMs: 10_000,
  maxQueuedPerFunction: 1_024,
  maxHeldPerFunction: 256,
  maxHeldTotal: 2_048,
  defaultNamespace: 'openfaas-fn',
  schedulerDoorbellPath: '',
  eventQueuePath: '',
} as const;

/** All options with their values, as the addon takes them. */
export type ResolvedIngressOptions = Required<IngressOptions>;

/** Least and greatest value of each number. */
const RANGES: Partial<Record<keyof IngressOptions, readonly [number, number]>> = {
  port: [0, 65_535],
  workers: [1, 64],
  spinUs: [0, 1_000],
  maxConnections: [1, 1_000_000],
  headerLimitBytes: [1_024, 16 * 1024 * 1024],
  headerTimeoutMs: [1, 3_600_000],
  idleTimeoutMs: [1, 3_600_000],
  stallTimeoutMs: [1, 3_600_000],
  connectTimeoutMs: [1, 600_000],
  defaultTimeoutMs: [1, 86_400_000],
  queueTimeoutMs: [0, 3_600_000],
  maxQueuedPerFunction: [0, 1_000_000],
  maxHeldPerFunction: [0, 1_000_000],
  maxHeldTotal: [0, 1_000_000],
};

/** Fills in defaults and checks ranges; throws one NativeError that names every fault. */
export function resolveIngressOptions(options: IngressOptions): ResolvedIngressOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const resolved = { ...INGRESS_DEFAULTS, ...given } as ResolvedIngressOptions;
  const faults: string[] = [];
  for (const [name, range] of Object.entries(RANGES)) {
    const value: unknown = resolved[name as keyof IngressOptions];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < range[0] || value > range[1]) {
      faults.push(`${name} must be a whole number from ${range[0]} to ${range[1]}, not ${String(value)}`);
    }
  }
  if (typeof resolved.host !== 'string' || isIP(resolved.host) === 0) {
    faults.push(`host must be an IP address, not ${JSON.stringify(resolved.host)}`);
  }
  // 108 bytes with the final NUL: sun_path of unix(7).
  if (
    typeof resolved.apiSocketPath !== 'string' ||
    resolved.apiSocketPath === '' ||
    Buffer.byteLength(resolved.apiSocketPath) > 107
  ) {
    faults.push('apiSocketPath must be a path of 1 to 107 bytes');
  }
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(resolved.defaultNamespace)) {
    faults.push(`defaultNamespace must be a DNS label, not ${JSON.stringify(resolved.defaultNamespace)}`);
  }
  if (faults.length > 0) {
    throw new NativeError('ERR_NATIVE_OPTION', faults.join('; '));
  }
  return resolved;
}
