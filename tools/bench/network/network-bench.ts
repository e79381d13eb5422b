// SPDX-License-Identifier: Apache-2.0
// `./junction bench network`: an instance's NIC and network stack against the host's TCP, the same binary on both.
import { join } from 'node:path';

import { buildDataPlane } from '../../cli/src/commands/build.ts';
import type { Bench, BenchOutcome } from '../bench.ts';
import { BenchStack } from '../bench-stack.ts';
import { holdShallow } from '../idle-states.ts';
import { KernelBench } from '../kernel/kernel-context.ts';
import type { Lines } from '../kernel/kernel-bench.ts';
import { median, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { measureDensity } from './density-lines.ts';
import { measureEndToEnd } from './end-to-end-lines.ts';
import { measureExecution } from './execution-lines.ts';
import { measureLinkThroughput } from './link-throughput-lines.ts';
import { NetworkContext } from './network-context.ts';
import { measureStackCost } from './stack-cost-lines.ts';
import { measureUplink } from './uplink-lines.ts';
import { requireRoot } from './uplink-world.ts';

export const networkBench: Bench = async (settings) => {
  requireRoot();
  await buildDataPlane(settings.root);
  const kernel = await KernelBench.prepare(settings);
  const stack = new BenchStack(
    {
      root: settings.root,
      stack: 'bench',
      portBase: 18080,
      functionBinary: join(settings.root, 'functions/dist/bin/aes'),
      progress: settings.progress,
    },
    settings.environment,
  );
  const context = new NetworkContext(settings, kernel, stack);
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  const pingPongNs: number[] = [];
  const add = (lines: Lines): void => {
    results.push(...lines.results);
    Object.assign(raw, lines.raw);
  };
  try {
    await stack.start();
    for (const idle of ['stock', 'shallow'] as const) {
      const holder = idle === 'shallow' ? await holdShallow() : undefined;
      try {
        pingPongNs.push(await settings.load.pingPong());
        add(await measureExecution(context, idle));
        add(await measureEndToEnd(context, idle));
        add(await measureLinkThroughput(context, idle));
        pingPongNs.push(await settings.load.pingPong());
      } finally {
        await holder?.close();
      }
    }
    await stack.stop();
    const execution = present(raw['shallow: execution, back to back, p50 us']?.[0], 'times of execution');
    add(await measureStackCost(context, median(execution.values)));
    add(await measureUplink(context));
    add(await measureDensity(context));
    return { results, pingPongNs, raw, plots: plotsOf(results), notes: context.notes };
  } finally {
    await stack.stop().catch((error: unknown) => {
      settings.progress(`the bench stack did not stop: ${String(error)}`);
    });
    await kernel.cleanUp();
  }
};

function plotsOf(results: readonly Result[]): BenchOutcome['plots'] {
  return [
    ...(['stock', 'shallow'] as const).map((idle) => ({
      file: `network-${idle}.svg`,
      title: `bench network, ${idle} idle states`,
      results: results.filter((result) => result.name.startsWith(`${idle}: `)),
    })),
    {
      file: 'network-rest.svg',
      title: 'bench network, where idle states do not matter',
      results: results.filter((result) => !/^(stock|shallow): /.test(result.name)),
    },
  ];
}
