// SPDX-License-Identifier: Apache-2.0
// Warm clones of an idle instance against a start of the same server.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { IdleStates } from '../idle-states.ts';
import { bound, interleave, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { junction, type KernelBench, type RunningServer, type ServerOptions } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';
import { anyPort, startOnHost } from './start-lines.ts';

interface Kind {
  readonly name: string;
  readonly targetMs: number;
  readonly onHost: readonly string[];
  start(options: ServerOptions): Promise<RunningServer>;
}

const milli = 1e6;
const warmupRequests = 300;
// Runtimes are busy for a moment after the last request; only an idle instance can be cloned.
const settleMs = 1500;

export async function measureClones(bench: KernelBench, idle: IdleStates): Promise<Lines> {
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  for (const kind of kindsOf(bench)) {
    bench.settings.progress(`${idle} idle states: warm clones, ${kind.name}`);
    const folder = join(bench.settings.workFolder, `template-${idle}-${kind.name}`);
    await mkdir(folder);
    const template = await kind.start({ instanceFolder: folder });
    try {
      await bench.settings.load.sequential(template.url, warmupRequests, 0);
      await delay(settleMs);
      const series = await measureKind(bench, kind, folder);
      const label = `${idle}: warm clone to first answer, ${kind.name}`;
      raw[`${label}, from the request, ms`] = [present(series[0]?.[0], 'clones')];
      raw[`${label}, from the start of the command, ms`] = present(series[1], 'starts');
      results.push(bound(label, 'ms', 'lower', present(series[0]?.[0], 'clones').values, kind.targetMs));
    } finally {
      await template.stop();
    }
  }
  return { results, raw };
}

function kindsOf(bench: KernelBench): Kind[] {
  const { aes, node, java, folder } = bench.programs;
  const script = join(bench.settings.root, 'functions/aes-node/server.mjs');
  const kind = (name: string, targetMs: number, program: readonly string[]): Kind => ({
    name,
    targetMs,
    onHost: program,
    start: (options) => bench.startServer(junction, program, options),
  });
  return [
    { name: 'Go', targetMs: 1.5, onHost: [aes], start: (options) => bench.startAes(junction, options) },
    kind('Node.js', 8, [node, script]),
    kind('Java', 8, [java, '-cp', folder, 'AesServer']),
  ];
}

/** Clones and starts on the host in turn: from when junction_run asked for the clone, and from the start of either command. */
async function measureKind(bench: KernelBench, kind: Kind, folder: string): Promise<Series[][]> {
  return interleave(['clone', 'linux exec'], bench.settings.rounds, async (name) => {
    if (name === 'clone') {
      const clone = await bench.cloneOf(folder);
      const answer = await bench.settings.load.firstAnswer(anyPort, clone.command, clone);
      return [answer.fromAskedNs / milli, answer.fromStartNs / milli];
    }
    const answer = await startOnHost(bench, kind.onHost);
    return [answer.fromAskedNs / milli, answer.fromStartNs / milli];
  });
}
