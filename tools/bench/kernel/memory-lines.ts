// SPDX-License-Identifier: Apache-2.0
// Memory of many idle instances of one function.
import { bound, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { processTree, pssBytes } from '../process-figures.ts';
import { junction, linux, type Contestant, type KernelBench, type RunningServer } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';

const targetMb = 1.5;
const bytesPerMb = 1e6;

export async function measureMemory(bench: KernelBench): Promise<Lines> {
  const count = bench.settings.quick ? 20 : 100;
  bench.settings.progress(`memory of ${count.toString()} idle Go servers`);
  const series: Series[] = [];
  for (const contestant of [junction, linux]) {
    series.push({ contestant: contestant.name, values: await memoryOfEach(bench, contestant, count) });
  }
  const label = `PSS of each of ${count.toString()} idle Go instances`;
  return {
    results: [bound(label, 'MB', 'lower', present(series[0], 'ours').values, targetMb)],
    raw: { [`${label} MB`]: series },
  };
}

/** The monitor counts too: an instance is not to be had without it. */
async function memoryOfEach(bench: KernelBench, contestant: Contestant, count: number): Promise<number[]> {
  const servers: RunningServer[] = [];
  try {
    for (let i = 0; i < count; i += 1) {
      const server = await bench.startAes(contestant);
      servers.push(server);
      await bench.settings.load.sequential(server.url, 1, 0);
    }
    return await Promise.all(
      servers.map(async (server) => (await pssBytes(await processTree(server.pid))) / bytesPerMb),
    );
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
