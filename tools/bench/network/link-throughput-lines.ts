// SPDX-License-Identifier: Apache-2.0
// Rate, CPU a request and tail of one instance whose clients are connections of the gateway's kind: over a link, against host TCP.
import type { IdleStates } from '../idle-states.ts';
import type { Lines } from '../kernel/kernel-bench.ts';
import { bestOf, bound, compare, interleave, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { cpuNs, processTree } from '../process-figures.ts';
import { withContenders, type NetworkContext } from './network-context.ts';

const micro = 1e3;
/** Connections and the least rate, as a share of that over kernel TCP. */
const loads = [
  { connections: 1, least: 7 },
  { connections: 16, least: 2 },
  { connections: 64, least: 2 },
] as const;
const mostCpu = 0.5;
const mostTail = 2;

export async function measureLinkThroughput(context: NetworkContext, idle: IdleStates): Promise<Lines> {
  const { progress, rounds, load, quick } = context.settings;
  return withContenders(context, async (contenders) => {
    const results: Result[] = [];
    const raw: Record<string, Series[]> = {};
    for (const { connections, least } of loads) {
      progress(`${idle} idle states: throughput over a link, ${connections.toString()} connections`);
      const [rates, costs, tails] = (await interleave([...contenders.keys()], rounds, async (name) => {
        const { server, route } = present(contenders.get(name), name);
        await load.throughput(route, connections, 100, 0);
        const pids = await processTree(server.pid);
        const before = await cpuNs(pids);
        const outcome = await load.throughput(route, connections, quick ? 150 : 500, 0);
        const cpu = (await cpuNs(pids)) - before;
        return [outcome.rate, cpu / outcome.requests / micro, outcome.p99_ns / outcome.p50_ns];
      })) as [Series[], Series[], Series[]];
      const label = `${idle}: one instance, ${connections.toString()} connections`;
      raw[`${label}, 1/s`] = rates;
      raw[`${label}, us of CPU a request`] = costs;
      raw[`${label}, p99 / p50`] = tails;
      results.push(
        compare(label, '1/s', 'higher', present(rates[0], 'ours'), bestOf(rates.slice(1), 'higher'), least),
        compare(`${label}, CPU`, 'us', 'lower', present(costs[0], 'ours'), bestOf(costs.slice(1), 'lower'), mostCpu),
      );
      if (connections === 64) {
        results.push(bound(`${label}, p99 / p50`, '', 'lower', present(tails[0], 'ours').values, mostTail));
      }
    }
    return { results, raw };
  });
}
