// SPDX-License-Identifier: Apache-2.0
// Threads and processes that wait for each other, begin and end.
import { join } from 'node:path';

import type { IdleStates } from '../idle-states.ts';
import { bound, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { junction, linux, linuxOnOneCore, type Contestant, type KernelBench } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';
import { compareWithBest, measurePrograms, oursOf, type ProbeLine } from './probe-lines.ts';

interface Group {
  readonly contestants: readonly Contestant[];
  readonly lines: readonly ProbeLine[];
}

const groups: readonly Group[] = [
  {
    contestants: [junction, linux, linuxOnOneCore],
    lines: [
      { figure: 'futex_ping_pong_threads', label: 'futex ping-pong, two threads', target: 1 / 10 },
      { figure: 'pipe_ping_pong_threads', label: 'pipe ping-pong, two threads', target: 1 / 10 },
      { figure: 'thread_create_join', label: 'thread create and join', target: 1 / 4 },
      { figure: 'fork_exit_wait', label: 'fork, exit, wait', target: 1.6 },
      { figure: 'spawn_true', label: 'spawn of /bin/true', target: 1.5 },
    ],
  },
  {
    contestants: [{ ...junction, name: 'junction-one-core', isOnOneCore: true }, linuxOnOneCore],
    lines: [{ figure: 'pipe_ping_pong_processes', label: 'pipe ping-pong, two uProcs on one core', target: 1.1 }],
  },
  {
    contestants: [{ name: 'junction-two-cores', instanceCores: 2 }, linux],
    lines: [{ figure: 'pipe_ping_pong_two_cores', label: 'pipe ping-pong, two uProcs on two cores', target: 1 / 10 }],
  },
];

const manyThreads = 10_000;

export async function measureWaits(bench: KernelBench, idle: IdleStates): Promise<Lines> {
  bench.settings.progress(`${idle} idle states: threads and processes`);
  const probe = join(bench.programs.folder, 'kernel_probe');
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  for (const { contestants, lines } of groups) {
    const figures = lines.map((line) => line.figure);
    const all = await measurePrograms(bench, contestants, [[probe, ...figures]], figures);
    for (const [index, line] of lines.entries()) {
      const series = present(all[index], line.figure);
      raw[`${idle}: ${line.label} ns`] = series;
      results.push(compareWithBest(`${idle}: ${line.label}`, 'ns', series, line.target));
    }
  }
  const figures = ['threads_alive', 'ten_thousand_threads'];
  const threads = await measurePrograms(bench, [junction, linux], [[probe, 'ten_thousand_threads']], figures);
  const [alive, cost] = threads.map((series) => present(series, 'threads'));
  raw[`${idle}: threads alive at once`] = present(alive, 'threads');
  raw[`${idle}: of ten thousand threads, each ns`] = present(cost, 'threads');
  results.push(
    bound(
      `${idle}: threads alive at once in an instance`,
      'threads',
      'higher',
      oursOf(present(alive, 'threads')).values,
      manyThreads,
    ),
  );
  return { results, raw };
}
