// SPDX-License-Identifier: Apache-2.0
// Execution of a function: from the write of the request to the last byte of the answer, over a link and over the host's TCP.
import type { IdleStates } from '../idle-states.ts';
import type { Lines } from '../kernel/kernel-bench.ts';
import { bestOf, compare, interleave, quantile, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { withContenders, type NetworkContext } from './network-context.ts';

const micro = 1e3;
const warmup = 200;
/** Pause between two requests and what p50 and p99 may be at most, as shares of the direct call's. */
const paces = [
  { gapUs: 0, label: 'back to back', p50: 1 / 5, p99: 1 / 3 },
  { gapUs: 300, label: '300 us gaps', p50: 1 / 4, p99: 0.8 },
] as const;

export async function measureExecution(context: NetworkContext, idle: IdleStates): Promise<Lines> {
  const { progress, rounds, load, quick } = context.settings;
  return withContenders(context, async (contenders) => {
    const results: Result[] = [];
    const raw: Record<string, Series[]> = {};
    for (const pace of paces) {
      progress(`${idle} idle states: execution over a link, ${pace.label}`);
      const [p50, p99] = (await interleave([...contenders.keys()], rounds, async (name) => {
        const { route } = present(contenders.get(name), name);
        const samples = await load.sequential({ ...route, gapUs: pace.gapUs }, quick ? 500 : 2000, warmup);
        return [quantile(samples, 0.5) / micro, quantile(samples, 0.99) / micro];
      })) as [Series[], Series[]];
      const label = `${idle}: execution, ${pace.label}`;
      raw[`${label}, p50 us`] = p50;
      raw[`${label}, p99 us`] = p99;
      results.push(
        compare(`${label}, p50`, 'us', 'lower', present(p50[0], 'ours'), bestOf(p50.slice(1), 'lower'), pace.p50),
        compare(`${label}, p99`, 'us', 'lower', present(p99[0], 'ours'), bestOf(p99.slice(1), 'lower'), pace.p99),
      );
    }
    return { results, raw };
  });
}
