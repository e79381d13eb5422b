// SPDX-License-Identifier: Apache-2.0
// Calls that never wait.
import { join } from 'node:path';

import { bound, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { junction, linux, type KernelBench } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';
import { compareWithBest, measurePrograms, oursOf } from './probe-lines.ts';

// The same code of the vDSO on both sides, so what differs is chance: 2 % of it.
const sameClock = 1.02;

export async function measureCalls(bench: KernelBench): Promise<Lines> {
  bench.settings.progress('calls that never wait');
  const { folder, node } = bench.programs;
  const figures = ['getppid', 'getppid_go', 'getppid_node_addon', 'pipe_read_600', 'clock_gettime', 'signal_to_self'];
  const programs = [
    [join(folder, 'kernel_probe'), 'getppid', 'pipe_read_600', 'clock_gettime', 'signal_to_self'],
    [join(folder, 'go_calls')],
    [node, join(folder, 'node_calls.cjs'), join(folder, 'node_calls.node')],
  ];
  const all = await measurePrograms(bench, [junction, linux], programs, figures);
  const of = (figure: string): Series[] => present(all[figures.indexOf(figure)], figure);
  const within = (label: string, figure: string, limitNs: number) =>
    bound(label, 'ns', 'lower', oursOf(of(figure)).values, limitNs);
  return {
    results: [
      within('getppid in a C program', 'getppid', 15),
      within('getppid in a Go program', 'getppid_go', 15),
      within('getppid in an addon of Node.js', 'getppid_node_addon', 15),
      within('read of 600 bytes from a pipe', 'pipe_read_600', 60),
      compareWithBest('clock_gettime', 'ns', of('clock_gettime'), sameClock),
      compareWithBest('signal to self, handler and return', 'ns', of('signal_to_self'), 1 / 5),
    ],
    raw: Object.fromEntries(figures.map((figure) => [`${figure} ns`, of(figure)])),
  };
}
