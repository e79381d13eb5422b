// SPDX-License-Identifier: Apache-2.0
// An idle instance costs no CPU.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { bound, type Result, type Series } from '../measurement.ts';
import { cpuNs, cpuTicks, processTree, waits } from '../process-figures.ts';
import { junction, linux, type Contestant, type KernelBench, type RunningServer } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';

// Runtimes tidy up for some seconds after their last request (Go's scavenger and forced GC, V8's idle GC).
const settleMs = 8000;

export async function measureIdle(bench: KernelBench): Promise<Lines> {
  const seconds = bench.settings.quick ? 5 : 60;
  bench.settings.progress(`idle servers over ${seconds.toString()} s`);
  const script = join(bench.settings.root, 'functions/aes-node/server.mjs');
  const kinds: Record<string, (contestant: Contestant) => Promise<RunningServer>> = {
    Go: (contestant) => bench.startAes(contestant),
    'Node.js': (contestant) => bench.startServer(contestant, [bench.programs.node, script]),
  };
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  for (const [kind, start] of Object.entries(kinds)) {
    const servers = [await start(junction), await start(linux)];
    try {
      for (const server of servers) {
        await bench.settings.load.sequential(server.url, 100, 0);
      }
      await delay(settleMs);
      const before = await Promise.all(servers.map(figuresOf));
      await delay(seconds * 1000);
      const after = await Promise.all(servers.map(figuresOf));
      const grown = after.map((figures, server) =>
        figures.map((value, index) => value - (before[server]?.[index] ?? NaN)),
      );
      for (const [index, figure] of ['ticks', 'CPU ns', 'wake-ups'].entries()) {
        raw[`idle ${kind} server over ${seconds.toString()} s, ${figure}`] = ['junction', 'linux'].map(
          (contestant, server) => ({ contestant, values: [grown[server]?.[index] ?? NaN] }),
        );
      }
      const label = `CPU of an idle ${kind} instance in ${seconds.toString()} s`;
      results.push(bound(label, 'ticks', 'lower', [grown[0]?.[0] ?? NaN], 0));
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  return { results, raw };
}

async function figuresOf(server: RunningServer): Promise<number[]> {
  const pids = await processTree(server.pid);
  return Promise.all([cpuTicks(pids), cpuNs(pids), waits(pids)]);
}
