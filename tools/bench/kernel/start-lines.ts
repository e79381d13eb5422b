// SPDX-License-Identifier: Apache-2.0
// From exec to the first right answer.
import type { IdleStates } from '../idle-states.ts';
import { compare, interleave } from '../measurement.ts';
import { present } from '../present.ts';
import type { FirstAnswer } from '../load.ts';
import { freePort } from '../references.ts';
import { junction, linux, type KernelBench } from './kernel-context.ts';
import type { Lines } from './kernel-bench.ts';

const milli = 1e6;
const target = 1.5;
const startsARound = 3;
/** The control file tells which it is. */
export const anyPort = 'http://127.0.0.1:1/';

export async function measureStart(bench: KernelBench, idle: IdleStates): Promise<Lines> {
  bench.settings.progress(`${idle} idle states: starts of the Go server`);
  const { rounds } = bench.settings;
  const [times] = await interleave([junction.name, linux.name], rounds * startsARound, async (name) => [
    (await (name === linux.name ? startOnHost(bench, [bench.programs.aes]) : startInInstance(bench))).fromStartNs /
      milli,
  ]);
  const [ours, reference] = present(times, 'start times');
  const label = `${idle}: start of the Go server to its first answer`;
  return {
    results: [compare(label, 'ms', 'lower', present(ours, 'ours'), present(reference, 'Linux'), target)],
    raw: { [`${label} ms`]: present(times, 'start times') },
  };
}

async function startInInstance(bench: KernelBench): Promise<FirstAnswer> {
  const instance = await bench.commandOf(junction, ['/aes'], { chrootPath: bench.rootfs });
  return bench.settings.load.firstAnswer(anyPort, instance.command, instance);
}

/** From exec of a plain program to its first answer. */
export async function startOnHost(bench: KernelBench, program: readonly string[]): Promise<FirstAnswer> {
  const port = (await freePort()).toString();
  const environment = { PATH: '/usr/bin:/bin', PORT: port };
  return bench.settings.load.firstAnswer(`http://127.0.0.1:${port}/`, program, { environment });
}
