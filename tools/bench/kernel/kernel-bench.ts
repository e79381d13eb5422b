// SPDX-License-Identifier: Apache-2.0
// `./junction bench kernel`: the Junction kernel against the host's Linux, the same programs on both.
import { buildDataPlane } from '../../cli/src/commands/build.ts';
import type { Bench, BenchOutcome } from '../bench.ts';
import { holdShallow } from '../idle-states.ts';
import type { Result, Series } from '../measurement.ts';
import { measureCalls } from './call-lines.ts';
import { measureClones } from './clone-lines.ts';
import { measureCompute } from './compute-lines.ts';
import { measureHttp } from './http-lines.ts';
import { measureIdle } from './idle-lines.ts';
import { KernelBench } from './kernel-context.ts';
import { measureMemory } from './memory-lines.ts';
import { measureStart } from './start-lines.ts';
import { measureWaits } from './wait-lines.ts';

export const kernelBench: Bench = async (settings) => {
  await buildDataPlane(settings.root);
  const bench = await KernelBench.prepare(settings);
  try {
    const results: Result[] = [];
    const raw: Record<string, Series[]> = {};
    const pingPongNs: number[] = [];
    const add = (lines: Lines): void => {
      results.push(...lines.results);
      Object.assign(raw, lines.raw);
    };
    // Nothing waits in these, so idle states do not matter.
    add(await measureCalls(bench));
    add(await measureCompute(bench));
    for (const idle of ['stock', 'shallow'] as const) {
      const holder = idle === 'shallow' ? await holdShallow() : undefined;
      try {
        pingPongNs.push(await settings.load.pingPong());
        add(await measureWaits(bench, idle));
        add(await measureHttp(bench, idle));
        add(await measureStart(bench, idle));
        add(await measureClones(bench, idle));
        pingPongNs.push(await settings.load.pingPong());
      } finally {
        await holder?.close();
      }
    }
    add(await measureMemory(bench));
    add(await measureIdle(bench));
    return { results, pingPongNs, raw, plots: plotsOf(results), notes: [] };
  } finally {
    await bench.cleanUp();
  }
};

/** What a part of the bench hands back. */
export interface Lines {
  readonly results: readonly Result[];
  readonly raw: Readonly<Record<string, Series[]>>;
}

function plotsOf(results: readonly Result[]): BenchOutcome['plots'] {
  const plot = (name: string, title: string, belongs: (result: Result) => boolean) => ({
    file: `kernel-${name}.svg`,
    title: `bench kernel, ${title}`,
    results: results.filter(belongs),
  });
  const hasPrefix = (prefix: string) => (result: Result) => result.name.startsWith(`${prefix}: `);
  return [
    plot('stock', 'stock idle states', hasPrefix('stock')),
    plot('shallow', 'shallow idle states', hasPrefix('shallow')),
    plot('rest', 'where idle states do not matter', (result) => !/^(stock|shallow): /.test(result.name)),
  ];
}
