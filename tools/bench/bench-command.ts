// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeAesPayload } from './aes-payload.ts';
import type { Bench, BenchOutcome } from './bench.ts';
import { kernelBench } from './kernel/kernel-bench.ts';
import { loadBinary, LoadClient } from './load.ts';
import { mainBench } from './main-bench.ts';
import { networkBench } from './network/network-bench.ts';
import { median } from './measurement.ts';
import { renderSvg, renderTable } from './report.ts';

/** What `./junction bench` can measure. */
export const benches: Readonly<Record<string, Bench>> = {
  main: mainBench,
  kernel: kernelBench,
  network: networkBench,
};

export interface BenchCommandOptions {
  readonly root: string;
  /** A key of `benches`. */
  readonly bench: string;
  readonly rounds: number;
  /** Short measurements: shows that the bench works, not what the system can do. */
  readonly quick: boolean;
  readonly json: boolean;
  /** Folder for plots and raw samples. */
  readonly out: string;
  readonly environment: NodeJS.ProcessEnv;
}

const quickRounds = 3;

/** Runs a bench and prints its results; answers the process's exit status: 0 all targets hold, 3 some are missed. */
export async function runBenchCommand(options: BenchCommandOptions): Promise<number> {
  const bench = benches[options.bench];
  if (bench === undefined) {
    throw new Error(`there is no bench '${options.bench}', only ${Object.keys(benches).join(' and ')}`);
  }
  const progress = (line: string): void => {
    process.stderr.write(`bench: ${line}\n`);
  };
  const workFolder = await mkdtemp(join(tmpdir(), 'junction-bench-'));
  await chmod(workFolder, 0o755); // guests are other users
  try {
    const outcome = await bench({
      root: options.root,
      rounds: options.quick ? quickRounds : options.rounds,
      quick: options.quick,
      workFolder,
      load: new LoadClient(loadBinary(options.root), writeAesPayload(workFolder)),
      environment: options.environment,
      progress,
    });
    await store(options.out, options.bench, outcome);
    print(outcome, options.json);
    return outcome.results.every((result) => result.holds) ? 0 : 3;
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

/** Plots, and the raw samples beside them, so that every printed figure can be checked. */
async function store(folder: string, name: string, outcome: BenchOutcome): Promise<void> {
  await mkdir(folder, { recursive: true });
  const content = { pingPongNs: median(outcome.pingPongNs), raw: outcome.raw, results: outcome.results };
  await writeFile(join(folder, `${name}.raw.json`), `${JSON.stringify(content, null, 1)}\n`);
  for (const plot of outcome.plots) {
    await writeFile(join(folder, plot.file), renderSvg(plot.title, plot.results));
  }
}

function print(outcome: BenchOutcome, asJson: boolean): void {
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ results: outcome.results })}\n`);
    return;
  }
  const pingPongs = outcome.pingPongNs.map((ns) => ns.toFixed(0)).join(', ');
  const lines = [
    renderTable(outcome.results),
    ...outcome.notes.map((note) => `  ${note}`),
    `cross-core ping-pong while this ran: ${pingPongs} ns (median ${median(outcome.pingPongNs).toFixed(0)} ns)`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
