// SPDX-License-Identifier: Apache-2.0
// `./junction bench main`: the main job against the same binary called directly and against nginx in front of it.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Bench } from './bench.ts';
import { BenchStack } from './bench-stack.ts';
import { holdShallow, type IdleStates } from './idle-states.ts';
import type { LoadClient } from './load.ts';
import { bestOf, bound, compare, interleave, median, quantile, type Result, type Series } from './measurement.ts';
import { present } from './present.ts';
import { startDirect, startNginx, type Reference } from './references.ts';

interface MainBenchOptions {
  /** At least 7 for a result that counts. */
  readonly rounds: number;
  /** Milliseconds of each throughput measurement. */
  readonly durationMs: number;
  /** Seconds over which idle CPU is taken. */
  readonly idleSeconds: number;
  readonly workFolder: string;
  readonly progress: (line: string) => void;
}

interface MainBenchOutcome {
  readonly results: Result[];
  /** Median cross-core round trip while this ran, nanoseconds. */
  readonly pingPongNs: number[];
  readonly raw: Record<string, Series[]>;
  readonly processes: { name: string; rssBytes: number }[];
}

const sequences = [100, 1000] as const;
const connectionCounts = [1, 8, 32, 64] as const;
const warmupRequests = 50;
// Where the host places client, ingress and function is settled anew with each measurement and lasts as long as it: many
// short ones say more than few long ones.
const throughputRoundsFactor = 2;
const micro = 1e3;
const milli = 1e6;

interface Contestants {
  readonly ours: string;
  readonly direct: Reference[];
  readonly nginx: Reference[];
}

function pick(series: readonly Series[], names: readonly string[]): Series[] {
  return series.filter((entry) => names.includes(entry.contestant));
}

/** The main job, on a stack of its own. */
export const mainBench: Bench = async (settings) => {
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
  try {
    await stack.start();
    const outcome = await measureAll(stack, settings.load, {
      rounds: settings.rounds,
      durationMs: settings.quick ? 150 : 250,
      idleSeconds: settings.quick ? 3 : 20,
      workFolder: settings.workFolder,
      progress: settings.progress,
    });
    const { results } = outcome;
    return {
      ...outcome,
      plots: [
        ...(['stock', 'shallow'] as const).map((idle) => ({
          file: `main-${idle}.svg`,
          title: `bench main, ${idle} idle states`,
          results: results.filter((result) => result.name.startsWith(`${idle}:`)),
        })),
        {
          file: 'main-node.svg',
          title: 'bench main, the node',
          results: results.filter((result) => result.ratio === null),
        },
      ],
      notes: outcome.processes.map(
        ({ name, rssBytes }) => `${name.padEnd(24)} ${(rssBytes / 1e6).toFixed(0)} MB resident`,
      ),
    };
  } finally {
    await stack.stop().catch((error: unknown) => {
      settings.progress(`the bench stack did not stop: ${String(error)}`);
    });
  }
};

async function measureAll(stack: BenchStack, load: LoadClient, options: MainBenchOptions): Promise<MainBenchOutcome> {
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  const pingPongNs: number[] = [];
  const direct = [await startDirect(stack.functionBinary), await startDirect(stack.functionBinary, 1)];
  const nginx: Reference[] = [];
  try {
    for (const upstream of direct) {
      nginx.push(await startNginx(options.workFolder, upstream, 1), await startNginx(options.workFolder, upstream, 2));
    }
    const contestants: Contestants = { ours: stack.invokeUrl, direct, nginx };
    for (const idle of ['stock', 'shallow'] as const) {
      const holder = idle === 'shallow' ? await holdShallow() : undefined;
      try {
        pingPongNs.push(await load.pingPong());
        results.push(...(await measureLatency(contestants, load, idle, options, raw)));
        results.push(...(await measureThroughput(contestants, load, idle, options, raw)));
        pingPongNs.push(await load.pingPong());
      } finally {
        await holder?.close();
      }
    }
  } finally {
    await Promise.all([...nginx, ...direct].map((reference) => reference.stop()));
  }
  results.push(...(await measureStarts(stack, load, options, raw)));
  const processes = await measureIdle(stack, options, results, raw);
  return { results, pingPongNs, raw, processes };
}

function urls(contestants: Contestants): Map<string, string> {
  return new Map([
    ['junctiond', contestants.ours],
    ...[...contestants.direct, ...contestants.nginx].map((reference) => [reference.name, reference.url] as const),
  ]);
}

async function measureLatency(
  contestants: Contestants,
  load: LoadClient,
  idle: IdleStates,
  options: MainBenchOptions,
  raw: Record<string, Series[]>,
): Promise<Result[]> {
  const results: Result[] = [];
  const byName = urls(contestants);
  const nginxNames = contestants.nginx.map((reference) => reference.name);
  const directNames = contestants.direct.map((reference) => reference.name);
  for (const count of sequences) {
    options.progress(`${idle} idle states: ${count.toString()} sequential invocations`);
    const [p50, p99] = (await interleave([...byName.keys()], options.rounds, async (name) => {
      const samples = await load.sequential(present(byName.get(name), name), count, warmupRequests);
      return [quantile(samples, 0.5) / micro, quantile(samples, 0.99) / micro];
    })) as [Series[], Series[]];
    const label = `${idle}: ${count.toString()} sequential`;
    raw[`${label} p50 us`] = p50;
    raw[`${label} p99 us`] = p99;
    const ours50 = present(pick(p50, ['junctiond'])[0], 'our series');
    const ours99 = present(pick(p99, ['junctiond'])[0], 'our series');
    results.push(
      compare(`${label}, p50`, 'us', 'lower', ours50, bestOf(pick(p50, nginxNames), 'lower'), 1),
      compare(`${label}, p99`, 'us', 'lower', ours99, bestOf(pick(p99, nginxNames), 'lower'), 1),
      compare(`${label}, p50`, 'us', 'lower', ours50, bestOf(pick(p50, directNames), 'lower'), 1.7),
    );
  }
  return results;
}

async function measureThroughput(
  contestants: Contestants,
  load: LoadClient,
  idle: IdleStates,
  options: MainBenchOptions,
  raw: Record<string, Series[]>,
): Promise<Result[]> {
  const results: Result[] = [];
  const byName = urls(contestants);
  const nginxNames = contestants.nginx.map((reference) => reference.name);
  const directNames = contestants.direct.map((reference) => reference.name);
  for (const connections of connectionCounts) {
    options.progress(`${idle} idle states: throughput at ${connections.toString()} connections`);
    const rounds = options.rounds * throughputRoundsFactor;
    const [rates] = (await interleave([...byName.keys()], rounds, async (name) => {
      const outcome = await load.throughput(present(byName.get(name), name), connections, options.durationMs);
      return [outcome.rate];
    })) as [Series[]];
    const label = `${idle}: throughput at ${connections.toString()}`;
    raw[`${label} 1/s`] = rates;
    const ours = present(pick(rates, ['junctiond'])[0], 'our series');
    results.push(compare(label, '1/s', 'higher', ours, bestOf(pick(rates, nginxNames), 'higher'), 1));
    if (connections >= 32) {
      results.push(compare(label, '1/s', 'higher', ours, bestOf(pick(rates, directNames), 'higher'), 0.5));
    }
  }
  return results;
}

async function measureStarts(
  stack: BenchStack,
  load: LoadClient,
  options: MainBenchOptions,
  raw: Record<string, Series[]>,
): Promise<Result[]> {
  options.progress('starts of junction_run and cold requests');
  const instance = await stack.prepareInstance(join(options.workFolder, 'start'));
  const startMs: number[] = [];
  const coldMs: number[] = [];
  for (let round = 0; round < Math.max(options.rounds, 7); round += 1) {
    startMs.push((await load.firstAnswer('http://127.0.0.1:1/', instance.command, instance)).fromStartNs / milli);
    await stack.scaleToZero();
    coldMs.push(median(await load.sequential(stack.invokeUrl, 1, 0)) / milli);
  }
  await rm(instance.controlFile, { force: true });
  raw['start to first answer ms'] = [{ contestant: 'junction_run', values: startMs }];
  raw['cold request ms'] = [{ contestant: 'junctiond', values: coldMs }];
  return [
    bound('junction_run start of the Go server to its first answer', 'ms', 'lower', startMs, 8),
    bound('cold request through the gateway, 0 to 1', 'ms', 'lower', coldMs, 20),
  ];
}

async function measureIdle(
  stack: BenchStack,
  options: MainBenchOptions,
  results: Result[],
  raw: Record<string, Series[]>,
): Promise<{ name: string; rssBytes: number }[]> {
  options.progress(`idle CPU over ${options.idleSeconds.toString()} s`);
  const percent = await stack.idleCpuPercent(options.idleSeconds);
  raw['idle CPU % of a core'] = [{ contestant: 'junctiond', values: percent }];
  const processes = await stack.residentMemory();
  const controlPlane = processes.filter((entry) => entry.controlPlane);
  const totalMb = controlPlane.reduce((sum, entry) => sum + entry.rssBytes, 0) / 1e6;
  raw['control plane RSS MB'] = controlPlane.map((entry) => ({
    contestant: entry.name,
    values: [entry.rssBytes / 1e6],
  }));
  results.push(
    bound('idle CPU of the whole stack', '% of a core', 'lower', percent, 2),
    bound('resident memory of the control plane', 'MB', 'lower', [totalMb], 600),
  );
  return processes;
}
