// SPDX-License-Identifier: Apache-2.0
// From a client on the host through the gateway, against the same binary called directly and nginx in front of it.
import type { IdleStates } from '../idle-states.ts';
import type { Lines } from '../kernel/kernel-bench.ts';
import type { Route } from '../load.ts';
import { bestOf, compare, interleave, quantile, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { startDirect, startNginx, type Reference } from '../references.ts';
import type { NetworkContext } from './network-context.ts';

const micro = 1e3;
const warmup = 50;
const sequences = [100, 1000] as const;
const paces = [
  { gapUs: 0, label: 'back to back', p50: 0.6 },
  { gapUs: 300, label: '300 us gaps', p50: 1 },
] as const;
/** Connections and the least rates, as shares of the direct call's; null = not promised. */
const loads = [
  { connections: 1, direct: 2 },
  { connections: 8, direct: null },
  { connections: 32, direct: 0.9 },
  { connections: 64, direct: 1 },
] as const;
const leastOfNginx = 1.5;
// As in bench main: where the host places everybody is settled anew with each measurement.
const throughputRoundsFactor = 2;

export async function measureEndToEnd(context: NetworkContext, idle: IdleStates): Promise<Lines> {
  const { stack, settings } = context;
  const direct = [await startDirect(stack.functionBinary), await startDirect(stack.functionBinary, 1)];
  const nginx: Reference[] = [];
  try {
    for (const upstream of direct) {
      nginx.push(
        await startNginx(settings.workFolder, upstream, 1),
        await startNginx(settings.workFolder, upstream, 2),
      );
    }
    const results: Result[] = [];
    const raw: Record<string, Series[]> = {};
    await measureLatency(context, idle, direct, results, raw);
    await measureRates(context, idle, direct, nginx, results, raw);
    return { results, raw };
  } finally {
    await Promise.all([...nginx, ...direct].map((reference) => reference.stop()));
  }
}

async function measureLatency(
  context: NetworkContext,
  idle: IdleStates,
  direct: readonly Reference[],
  results: Result[],
  raw: Record<string, Series[]>,
): Promise<void> {
  const { progress, rounds, load } = context.settings;
  const routes = routesOf(context, direct);
  for (const pace of paces) {
    for (const count of sequences) {
      progress(`${idle} idle states: ${count.toString()} invocations through the gateway, ${pace.label}`);
      const [p50, p99] = (await interleave([...routes.keys()], rounds, async (name) => {
        const samples = await load.sequential({ ...present(routes.get(name), name), gapUs: pace.gapUs }, count, warmup);
        return [quantile(samples, 0.5) / micro, quantile(samples, 0.99) / micro];
      })) as [Series[], Series[]];
      const label = `${idle}: ${count.toString()} sequential, ${pace.label}`;
      raw[`${label}, p50 us`] = p50;
      raw[`${label}, p99 us`] = p99;
      results.push(
        compare(`${label}, p50`, 'us', 'lower', present(p50[0], 'ours'), bestOf(p50.slice(1), 'lower'), pace.p50),
        compare(`${label}, p99`, 'us', 'lower', present(p99[0], 'ours'), bestOf(p99.slice(1), 'lower'), 1),
      );
    }
  }
}

async function measureRates(
  context: NetworkContext,
  idle: IdleStates,
  direct: readonly Reference[],
  nginx: readonly Reference[],
  results: Result[],
  raw: Record<string, Series[]>,
): Promise<void> {
  const { progress, rounds, load, quick } = context.settings;
  const routes = routesOf(context, [...direct, ...nginx]);
  for (const { connections, direct: leastOfDirect } of loads) {
    progress(`${idle} idle states: throughput through the gateway, ${connections.toString()} connections`);
    const [rates] = (await interleave([...routes.keys()], rounds * throughputRoundsFactor, async (name) => [
      (await load.throughput(present(routes.get(name), name), connections, quick ? 150 : 250)).rate,
    ])) as [Series[]];
    const label = `${idle}: throughput at ${connections.toString()}`;
    raw[`${label}, 1/s`] = rates;
    const ours = present(rates[0], 'ours');
    const those = (references: readonly Reference[]): Series[] =>
      rates.filter((series) => references.some((reference) => reference.name === series.contestant));
    results.push(compare(label, '1/s', 'higher', ours, bestOf(those(nginx), 'higher'), leastOfNginx));
    if (leastOfDirect !== null) {
      results.push(compare(label, '1/s', 'higher', ours, bestOf(those(direct), 'higher'), leastOfDirect));
    }
  }
}

function routesOf(context: NetworkContext, references: readonly Reference[]): Map<string, Route> {
  return new Map<string, Route>([
    ['junctiond', { url: context.stack.invokeUrl }],
    ...references.map((reference) => [reference.name, { url: reference.url }] as const),
  ]);
}
