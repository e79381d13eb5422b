// SPDX-License-Identifier: Apache-2.0
import { bestOf, compare, interleave, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { junction, type Contestant, type KernelBench } from './kernel-context.ts';
import { pickFigures } from './probe-output.ts';

/** A figure of a measuring program and what our share of Linux's may be. */
export interface ProbeLine {
  readonly figure: string;
  readonly label: string;
  readonly target: number;
}

/** One series a contestant for each figure, in the order of `figures`; each contestant runs all programs once a round. */
export async function measurePrograms(
  bench: KernelBench,
  contestants: readonly Contestant[],
  programs: readonly (readonly string[])[],
  figures: readonly string[],
): Promise<Series[][]> {
  const byName = new Map(contestants.map((contestant) => [contestant.name, contestant]));
  return interleave([...byName.keys()], bench.settings.rounds, async (name) => {
    const all = new Map<string, number>();
    for (const program of programs) {
      for (const [figure, value] of await bench.measure(present(byName.get(name), name), program)) {
        all.set(figure, value);
      }
    }
    return pickFigures(all, figures);
  });
}

/** The series of the contestant in an instance. */
export function oursOf(series: readonly Series[]): Series {
  return present(
    series.find((entry) => entry.contestant.startsWith(junction.name)),
    'our series',
  );
}

/** Compares ours with the best of the others. */
export function compareWithBest(label: string, unit: string, series: readonly Series[], target: number): Result {
  const ours = oursOf(series);
  const others = series.filter((entry) => entry !== ours);
  return compare(label, unit, 'lower', ours, bestOf(others, 'lower'), target);
}
