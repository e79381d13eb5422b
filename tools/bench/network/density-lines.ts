// SPDX-License-Identifier: Apache-2.0
// What a NIC costs an instance: memory while idle, time of a start and of a clone, wake-ups.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Lines } from '../kernel/kernel-bench.ts';
import { junction } from '../kernel/kernel-context.ts';
import { anyPort } from '../kernel/start-lines.ts';
import { bound, compare, interleave, type Result, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import { cpuTicks, processTree, pssBytes, waits } from '../process-figures.ts';
import type { Contender, NetworkContext } from './network-context.ts';

const bytesPerMb = 1e6;
const milli = 1e6;
const mostMb = 1.5;
const mostSlower = 1.1;
const startsARound = 3;
const templateRequests = 300;
// Go's runtime tidies up for some seconds after its last request.
const settleMs = 8000;

export async function measureDensity(context: NetworkContext): Promise<Lines> {
  const results: Result[] = [];
  const raw: Record<string, Series[]> = {};
  await measureIdleCrowd(context, results, raw);
  await measureStarts(context, results, raw);
  await measureClones(context, results, raw);
  return { results, raw };
}

async function measureIdleCrowd(
  context: NetworkContext,
  results: Result[],
  raw: Record<string, Series[]>,
): Promise<void> {
  const { progress, quick, load } = context.settings;
  const count = quick ? 20 : 100;
  const seconds = quick ? 5 : 60;
  progress(`${count.toString()} idle Go instances with a NIC`);
  const crowd: Contender[] = [];
  try {
    for (let i = 0; i < count; i += 1) {
      const contender = await context.startLinked();
      crowd.push(contender);
      await load.sequential(contender.route, 1, 0);
    }
    const trees = await Promise.all(crowd.map(({ server }) => processTree(server.pid)));
    const memory = await Promise.all(trees.map(async (pids) => (await pssBytes(pids)) / bytesPerMb));
    await delay(settleMs);
    const before = await Promise.all([cpuTicks(trees.flat()), waits(trees.flat())]);
    await delay(seconds * 1000);
    const after = await Promise.all([cpuTicks(trees.flat()), waits(trees.flat())]);
    const memoryLabel = `PSS of each of ${count.toString()} idle Go instances, rings included`;
    const idleLabel = `${count.toString()} idle Go instances in ${seconds.toString()} s`;
    raw[`${memoryLabel} MB`] = [{ contestant: 'link', values: memory }];
    raw[`${idleLabel}, wake-ups`] = [{ contestant: 'link', values: [after[1] - before[1]] }];
    results.push(
      bound(memoryLabel, 'MB', 'lower', memory, mostMb),
      bound(`CPU of ${idleLabel}`, 'ticks', 'lower', [after[0] - before[0]], 0),
    );
  } finally {
    await Promise.all(crowd.map(({ server }) => server.stop()));
  }
}

/** The same start with a NIC and without, each to its first answer. */
async function measureStarts(context: NetworkContext, results: Result[], raw: Record<string, Series[]>): Promise<void> {
  const { progress, rounds, load, workFolder } = context.settings;
  const { kernel } = context;
  progress('starts with a NIC and without');
  let folders = 0;
  const [times] = await interleave(['nic', 'host sockets'], rounds * startsARound, async (name) => {
    const instanceFolder = join(workFolder, `start-${(folders++).toString()}`);
    await mkdir(instanceFolder);
    const nic = name === 'nic' ? { links: 1 } : {};
    const instance = await kernel.commandOf(junction, ['/aes'], { chrootPath: kernel.rootfs, instanceFolder, ...nic });
    const to = name === 'nic' ? { url: anyPort, linkPath: join(instanceFolder, 'links.sock') } : anyPort;
    return [(await load.firstAnswer(to, instance.command, instance)).fromStartNs / milli];
  });
  const [ours, before] = present(times, 'start times');
  const label = 'start of the Go server to its first answer, with a NIC';
  raw[`${label} ms`] = present(times, 'start times');
  results.push(compare(label, 'ms', 'lower', present(ours, 'ours'), present(before, 'without'), mostSlower));
}

/** Warm clones of the same server with a NIC and without, each from the request for it to its first answer. */
async function measureClones(context: NetworkContext, results: Result[], raw: Record<string, Series[]>): Promise<void> {
  const { progress, rounds, load, workFolder } = context.settings;
  const { kernel } = context;
  progress('warm clones with a NIC and without');
  const nicFolder = join(workFolder, 'template-nic');
  const plainFolder = join(workFolder, 'template-plain');
  await Promise.all([mkdir(nicFolder), mkdir(plainFolder)]);
  const templates = [await kernel.startAes(junction, { instanceFolder: nicFolder, links: 1 })];
  try {
    templates.push(await kernel.startAes(junction, { instanceFolder: plainFolder }));
    for (const { url, linkPath } of templates) {
      await load.sequential({ url, ...(linkPath === undefined ? {} : { linkPath }) }, templateRequests, 0);
    }
    await delay(settleMs);
    let folders = 0;
    const [times] = await interleave(['nic', 'host sockets'], rounds * startsARound, async (name) => {
      if (name !== 'nic') {
        const clone = await kernel.cloneOf(plainFolder);
        return [(await load.firstAnswer(anyPort, clone.command, clone)).fromAskedNs / milli];
      }
      const instanceFolder = join(workFolder, `clone-${(folders++).toString()}`);
      await mkdir(instanceFolder);
      const clone = await kernel.cloneOf(nicFolder, { instanceFolder, links: 1 });
      const to = { url: anyPort, linkPath: join(instanceFolder, 'links.sock') };
      return [(await load.firstAnswer(to, clone.command, clone)).fromAskedNs / milli];
    });
    const [ours, without] = present(times, 'times of clones');
    const label = 'warm clone of the Go server to its first answer, with a NIC';
    raw[`${label} ms`] = present(times, 'times of clones');
    results.push(compare(label, 'ms', 'lower', present(ours, 'ours'), present(without, 'without'), mostSlower));
  } finally {
    await Promise.all(templates.map((template) => template.stop()));
  }
}
