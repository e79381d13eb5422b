// SPDX-License-Identifier: Apache-2.0
// What labels, annotations and environment variables of a function mean to the provider. Names and defaults are those of
// the OpenFaaS contract.
import { formatDuration } from '@junctiond/config';
import type { functionV1 } from '@junctiond/contracts';
import { type NetworkRule, parseNetworkRules } from '@junctiond/instance-model';
import { parseDurationMs } from './duration.js';

export interface FunctionSettings {
  readonly timeoutMs: number;
  /** Requests in flight per replica; 0 = no limit. */
  readonly maxInflight: number;
  readonly scaleMin: number;
  readonly scaleMax: number;
  /** What one replica is meant to take; its meaning depends on `com.openfaas.scale.type`. */
  readonly scaleTarget: number;
  /** The port that the function listens on. */
  readonly port: number;
  /** Between SIGTERM and SIGKILL. */
  readonly gracePeriodMs: number;
  /** Asked once a replica listens; empty = a replica that listens is ready. */
  readonly readyPath: string;
  /** What it may reach besides the outside. */
  readonly allow: readonly NetworkRule[];
}

/** One broken rule, in the user's words: `labels.com.openfaas.scale.min`. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

const MAX_TIMEOUT_MS = 24 * 3_600_000;
/** junctiond's own bound. */
const MAX_GRACE_PERIOD_MS = 3_600_000;
/** Chosen: far above what a node can hold, low enough to catch a slip of the keyboard. */
export const MAX_REPLICAS = 10_000;
const MAX_INFLIGHT = 1_000_000;
const MAX_PATH_LENGTH = 1_024;

/** Destinations: `10.0.0.0/8:443, [fd00::/8]:443, 10.1.2.3`. */
const ALLOW = 'com.junctiond.network.allow';

type Parsed<T> = { readonly value: T } | { readonly expected: string };
type Parser<T> = (text: string) => Parsed<T>;

/** Reads a spec's settings. Faulty ones are replaced by their defaults and appended to `faults`. */
export function readFunctionSettings(spec: functionV1.FunctionSpec, faults: FieldFault[]): FunctionSettings {
  /** A label wins over an annotation of the same name: OpenFaaS documents some settings as the one, some as the other. */
  const read = <T>(name: string, fallback: T, parse: Parser<T>): T => {
    const label = spec.labels?.entries[name];
    return label === undefined
      ? take(`annotations.${name}`, spec.annotations?.entries[name], fallback, parse)
      : take(`labels.${name}`, label, fallback, parse);
  };
  const take = <T>(field: string, text: string | undefined, fallback: T, parse: Parser<T>): T => {
    if (text === undefined) {
      return fallback;
    }
    const parsed = parse(text);
    if ('value' in parsed) {
      return parsed.value;
    }
    faults.push({ field, message: `is ${JSON.stringify(text)}, expected ${parsed.expected}` });
    return fallback;
  };

  const scaleMin = read('com.openfaas.scale.min', 1, integer(0, MAX_REPLICAS));
  const scaleMax = read('com.openfaas.scale.max', Math.max(20, scaleMin), integer(1, MAX_REPLICAS));
  if (scaleMin > scaleMax) {
    faults.push({
      field: 'labels.com.openfaas.scale.min',
      message: `is ${scaleMin}, more than com.openfaas.scale.max (${scaleMax})`,
    });
  }
  // Read for their faults only: they steer the autoscaler.
  read('com.openfaas.scale.factor', 20, integer(0, 100));
  read('com.openfaas.scale.target-proportion', 0.9, decimal(0.01, 1));
  read('com.openfaas.scale.type', 'rps', choice('rps', 'capacity', 'cpu'));
  read('com.openfaas.scale.zero', 'false', choice('true', 'false'));
  read('com.openfaas.scale.zero-duration', 900_000, duration(1_000, 7 * 24 * 3_600_000));
  return {
    timeoutMs: read('com.openfaas.timeout', 60_000, duration(1, MAX_TIMEOUT_MS)),
    maxInflight: read('com.openfaas.max_inflight', 0, integer(0, MAX_INFLIGHT)),
    scaleMin,
    scaleMax: Math.max(scaleMin, scaleMax),
    scaleTarget: Math.round(read('com.openfaas.scale.target', 50, decimal(1, 1_000_000))),
    port: read('com.openfaas.port', 8080, integer(1, 65_535)),
    gracePeriodMs: take(
      'envVars.grace_period',
      spec.envVars?.entries['grace_period'],
      30_000,
      duration(1, MAX_GRACE_PERIOD_MS),
    ),
    readyPath: read('com.openfaas.ready.http.path', '/_/ready', httpPath),
    allow: readAllow(spec, faults),
  };
}

/** A list, so that each faulty destination is named. */
function readAllow(spec: functionV1.FunctionSpec, faults: FieldFault[]): readonly NetworkRule[] {
  const label = spec.labels?.entries[ALLOW];
  const field = label === undefined ? `annotations.${ALLOW}` : `labels.${ALLOW}`;
  const parsed = parseNetworkRules(label ?? spec.annotations?.entries[ALLOW] ?? '');
  faults.push(...parsed.faults.map((message) => ({ field, message })));
  return parsed.rules;
}

function integer(least: number, most: number): Parser<number> {
  return (text) =>
    /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most
      ? { value: Number(text) }
      : { expected: `a whole number from ${least} to ${most}` };
}

function decimal(least: number, most: number): Parser<number> {
  return (text) =>
    /^\d{1,9}(?:\.\d{1,9})?$/.test(text) && Number(text) >= least && Number(text) <= most
      ? { value: Number(text) }
      : { expected: `a number from ${least} to ${most}` };
}

function duration(leastMs: number, mostMs: number): Parser<number> {
  return (text) => {
    const ms = parseDurationMs(text);
    return ms !== undefined && ms >= leastMs && ms <= mostMs
      ? { value: ms }
      : {
          expected: `a duration from ${formatDuration(leastMs)} to ${formatDuration(mostMs)} such as 90 (seconds) or 1m30s`,
        };
  };
}

function choice(...words: string[]): Parser<string> {
  return (text) => (words.includes(text) ? { value: text } : { expected: `one of ${words.join(', ')}` });
}

function httpPath(text: string): Parsed<string> {
  return text === '' || (/^\/[\x21-\x7e]*$/.test(text) && text.length <= MAX_PATH_LENGTH)
    ? { value: text }
    : { expected: 'a path that begins with /, or nothing' };
}
