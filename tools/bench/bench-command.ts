// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeAesPayload } from './aes-payload.ts';
import { BenchStack } from './bench-stack.ts';
import { loadBinary, LoadClient } from './load.ts';
import { runMainBench, storeRaw } from './main-bench.ts';
import { median } from './measurement.ts';
import { renderSvg, renderTable } from './report.ts';

export interface BenchCommandOptions {
  readonly root: string;
  /** `main` is the only bench so far. */
  readonly bench: string;
  readonly rounds: number;
  /** Short measurements: shows that the bench works, not what the system can do. */
  readonly quick: boolean;
  readonly json: boolean;
  /** Folder for plots and raw samples. */
  readonly out: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** Runs a bench and prints its results; answers the process's exit status: 0 all targets hold, 3 some are missed. */
export async function runBenchCommand(options: BenchCommandOptions): Promise<number> {
  const progress = (line: string): void => {
    process.stderr.write(`bench: ${line}\n`);
  };
  const workFolder = await mkdtemp(join(tmpdir(), 'junction-bench-'));
  const load = new LoadClient(loadBinary(options.root), writeAesPayload(workFolder));
  const stack = new BenchStack(
    {
      root: options.root,
      stack: 'bench',
      portBase: 18080,
      functionBinary: join(options.root, 'functions/dist/bin/aes'),
      progress,
    },
    options.environment,
  );
  try {
    await stack.start();
    const outcome = await runMainBench(stack, load, {
      rounds: options.quick ? 3 : options.rounds,
      durationMs: options.quick ? 150 : 250,
      idleSeconds: options.quick ? 3 : 20,
      workFolder,
      progress,
    });
    await mkdir(options.out, { recursive: true });
    await storeRaw(join(options.out, 'main.raw.json'), outcome);
    for (const idle of ['stock', 'shallow']) {
      const part = outcome.results.filter((result) => result.name.startsWith(`${idle}:`));
      await writeFile(join(options.out, `main-${idle}.svg`), renderSvg(`bench main, ${idle} idle states`, part));
    }
    const rest = outcome.results.filter((result) => result.ratio === null);
    await writeFile(join(options.out, 'main-node.svg'), renderSvg('bench main, the node', rest));
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ results: outcome.results })}\n`);
    } else {
      process.stdout.write(`${renderTable(outcome.results)}\n`);
      for (const { name, rssBytes } of outcome.processes) {
        process.stdout.write(`  ${name.padEnd(24)} ${(rssBytes / 1e6).toFixed(0)} MB resident\n`);
      }
      process.stdout.write(
        `cross-core ping-pong while this ran: ${outcome.pingPongNs.map((ns) => ns.toFixed(0)).join(', ')} ns`,
      );
      process.stdout.write(` (median ${median(outcome.pingPongNs).toFixed(0)} ns)\n`);
    }
    return outcome.results.every((result) => result.holds) ? 0 : 3;
  } finally {
    await stack.stop().catch((error: unknown) => {
      progress(`the bench stack did not stop: ${String(error)}`);
    });
    await rm(workFolder, { recursive: true, force: true });
  }
}
