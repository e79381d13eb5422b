// SPDX-License-Identifier: Apache-2.0
// The Go HTTP server on host sockets, in an instance and as a plain process.
import type { IdleStates } from '../idle-states.ts';
import { bestOf, compare, interleave, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { cpuNs, processTree } from '../process-figures.ts';
import { junction, linux, type KernelBench, type RunningServer } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';

const connectionCounts = [32, 64] as const;
const micro = 1e3;

export async function measureHttp(bench: KernelBench, idle: IdleStates): Promise<Lines> {
  const { progress, quick, rounds, load } = bench.settings;
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  const servers = new Map<string, RunningServer>([
    ['junction', await bench.startAes(junction)],
    ['linux', await bench.startAes(linux)],
    ['linux-procs1', await bench.startAes(linux, { environment: { GOMAXPROCS: '1' } })],
  ]);
  try {
    for (const connections of connectionCounts) {
      progress(`${idle} idle states: Go HTTP server, ${connections.toString()} connections`);
      const [rates, costs] = (await interleave([...servers.keys()], rounds, async (name) => {
        const server = present(servers.get(name), name);
        await load.throughput(server.url, connections, 100, 0);
        const pids = await processTree(server.pid);
        const before = await cpuNs(pids);
        const { rate, requests } = await load.throughput(server.url, connections, quick ? 150 : 500, 0);
        return [rate, ((await cpuNs(pids)) - before) / requests / micro];
      })) as [Series[], Series[]];
      const label = `${idle}: Go HTTP server at ${connections.toString()} connections`;
      raw[`${label}, 1/s`] = rates;
      raw[`${label}, us of CPU a request`] = costs;
      results.push(
        compare(label, '1/s', 'higher', present(rates[0], 'ours'), bestOf(rates.slice(1), 'higher'), 1),
        compare(`${label}, CPU`, 'us', 'lower', present(costs[0], 'ours'), bestOf(costs.slice(1), 'lower'), 1),
      );
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  }
  return { results, raw };
}
