// SPDX-License-Identifier: Apache-2.0

/** ok; worse: it works, with less; missing: what needs it does not work. */
export type ProbeState = 'ok' | 'worse' | 'missing';

export interface ProbeResult {
  readonly name: string;
  readonly state: ProbeState;
  /** What was found. */
  readonly found: string;
  /** What to do about it; empty if it is ok. */
  readonly fix: string;
}

export function ok(name: string, found: string): ProbeResult {
  return { name, state: 'ok', found, fix: '' };
}

export function worse(name: string, found: string, fix: string): ProbeResult {
  return { name, state: 'worse', found, fix };
}

export function missing(name: string, found: string, fix: string): ProbeResult {
  return { name, state: 'missing', found, fix };
}

/** ok if `condition`, else what `otherwise` says. */
export function check(
  condition: boolean,
  name: string,
  found: string,
  otherwise: (name: string) => ProbeResult,
): ProbeResult {
  return condition ? ok(name, found) : otherwise(name);
}
