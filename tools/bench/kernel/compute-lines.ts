// SPDX-License-Identifier: Apache-2.0
// Code that only computes must not notice where it runs.
import { join } from 'node:path';

import { compare, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { junction, linux, type KernelBench } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';
import { measurePrograms } from './probe-lines.ts';

const target = 0.98;

export async function measureCompute(bench: KernelBench): Promise<Lines> {
  const { folder, node, python, java } = bench.programs;
  const at = (name: string): string => join(folder, name);
  // The number of steps makes a batch of 5 to 20 ms each.
  const programs: Record<string, string[]> = {
    C: [at('nbody'), '150000'],
    Go: [at('go_nbody'), '200000'],
    'Node.js': [node, at('nbody.mjs'), '200000'],
    Java: [java, '-cp', folder, 'Nbody', '200000'],
    Python: [python, at('nbody.py'), '3000'],
  };
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  for (const [language, program] of Object.entries(programs)) {
    bench.settings.progress(`CPU-bound ${language}`);
    const [times] = await measurePrograms(bench, [junction, linux], [program], ['nbody']);
    const rates = present(times, 'a series').map(({ contestant, values }) => ({
      contestant,
      values: values.map((ns) => 1e6 / ns),
    }));
    raw[`nbody in ${language}, steps/ms`] = rates;
    const [ours, reference] = rates;
    results.push(
      compare(`nbody in ${language}`, 'steps/ms', 'higher', present(ours, 'ours'), present(reference, 'Linux'), target),
    );
  }
  return { results, raw };
}
