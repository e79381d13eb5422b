// SPDX-License-Identifier: Apache-2.0
// How every bench compares: contestants are measured in turn within a round, the ratio is taken per round, and a target
// holds or not by the median ratio. Placement of the two virtual cores shifts absolute figures of a whole round, not ratios.

import { present } from './present.ts';

/** One value of one contestant in each round, in `unit`. */
export interface Series {
  readonly contestant: string;
  readonly values: number[];
}

/** A line of the bench's result, one for each target. */
export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly ours: number;
  /** null: the target is absolute. */
  readonly reference: number | null;
  /** Median over the rounds of ours / reference; null for absolute targets. */
  readonly ratio: number | null;
  /** Interquartile range of the per-round ratio (or of our values), divided by the median. */
  readonly spread: number;
  readonly target: number;
  readonly holds: boolean;
}

/**
 * The smallest sample that at least the share `q` (0..1) of the samples does not exceed (nearest rank: the p99 of 100 is the 99th, not the
 * greatest); samples need not be sorted and may not be empty.
 */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) {
    throw new RangeError('quantile of no samples');
  }
  const sorted = [...samples].sort((a, b) => a - b);
  return present(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)], 'a sample');
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

function relativeSpread(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (quantile(values, 0.75) - quantile(values, 0.25)) / middle;
}

/** The contestant that did best over all rounds: the reference is run in several settings and its best one counts. */
export function bestOf(candidates: readonly Series[], better: 'lower' | 'higher'): Series {
  const sign = better === 'lower' ? 1 : -1;
  const ranked = [...candidates].sort((a, b) => sign * (median(a.values) - median(b.values)));
  return present(ranked[0], 'a candidate');
}

/** Compares two series round by round; `target` bounds the median ratio ours/reference. */
export function compare(
  name: string,
  unit: string,
  better: 'lower' | 'higher',
  ours: Series,
  reference: Series,
  target: number,
): Result {
  const ratios = ours.values.map((value, round) => value / present(reference.values[round], 'a value of each round'));
  const ratio = median(ratios);
  return {
    name: `${name} / ${reference.contestant}`,
    unit,
    better,
    ours: median(ours.values),
    reference: median(reference.values),
    ratio,
    spread: relativeSpread(ratios),
    target,
    holds: better === 'lower' ? ratio <= target : ratio >= target,
  };
}

/** Holds our values against a fixed bound. */
export function bound(
  name: string,
  unit: string,
  better: 'lower' | 'higher',
  values: readonly number[],
  target: number,
): Result {
  const ours = median(values);
  return {
    name,
    unit,
    better,
    ours,
    reference: null,
    ratio: null,
    spread: relativeSpread(values),
    target,
    holds: better === 'lower' ? ours <= target : ours >= target,
  };
}

/**
 * Measures every contestant once a round, in an order that rotates so that none always follows the same other.
 * Answers one series a contestant, in the order given.
 */
export async function interleave(
  contestants: readonly string[],
  rounds: number,
  measure: (contestant: string, round: number) => Promise<number[]>,
): Promise<Series[][]> {
  const collected: number[][][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const index = (round + turn) % contestants.length;
      const contestant = present(contestants[index], 'a contestant');
      collected[index]?.push(await measure(contestant, round));
    }
  }
  const figures = collected[0]?.[0]?.length ?? 0;
  return Array.from({ length: figures }, (_, figure) =>
    contestants.map((contestant, index) => ({
      contestant,
      values: present(collected[index], contestant).map((values) => present(values[figure], 'a figure')),
    })),
  );
}
