// SPDX-License-Identifier: Apache-2.0
// What TCP costs on a link, and how much goes through one.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Lines } from '../kernel/kernel-bench.ts';
import { junction, linux } from '../kernel/kernel-context.ts';
import { bound, interleave, median, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import type { NetworkContext } from './network-context.ts';

const run = promisify(execFile);

const exchanges = 500_000;
const bulkBytes = 2_000_000_000;
const leastGbit = 20;
const mostSlower = 1.08;
const spinUs = 100;

export async function measureStackCost(context: NetworkContext, executionUs: number): Promise<Lines> {
  const { progress, rounds, root, load, workFolder } = context.settings;
  progress('TCP on a link against a plain byte stream through the same rings');
  const program = join(root, 'native/build/release/src/bench/net_bench');
  const streamNs: number[] = [];
  const tcpNs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { stdout } = await run(program, [exchanges.toString()]);
    streamNs.push(Number(/plain stream: (\d+) ns/.exec(stdout)?.[1] ?? NaN));
    tcpNs.push(Number(/bytes, link: (\d+) ns/.exec(stdout)?.[1] ?? NaN));
  }
  // The function's own time, both its ends' copies included, is `executionUs` with TCP: what would be left of it without.
  const slower = tcpNs.map((ns, round) => {
    const more = (ns - present(streamNs[round], 'a round')) / 1e3;
    return executionUs / (executionUs - more);
  });
  progress('bulk over a link');
  const folder = join(workFolder, 'bulk');
  await mkdir(folder);
  const server = await context.kernel.startServer(
    junction,
    [join(context.kernel.programs.folder, 'bulk_server'), '8080'],
    {
      instanceFolder: folder,
      links: 1,
    },
  );
  const host = await context.kernel.startServer(linux, [join(context.kernel.programs.folder, 'bulk_server')]);
  try {
    const to = { url: server.url, spinUs, ...(server.linkPath === undefined ? {} : { linkPath: server.linkPath }) };
    const [up, down] = (await interleave(['link', 'host loopback'], rounds, async (name) => {
      const route = name === 'link' ? to : host.url;
      return [await load.bulk(route, bulkBytes, 'up'), await load.bulk(route, bulkBytes, 'down')];
    })) as [Series[], Series[]];
    context.notes.push(
      `an exchange of 600 + 1200 bytes in the stack alone: ${median(tcpNs).toFixed(0)} ns with TCP, ${median(streamNs).toFixed(0)} ns as a plain stream (both ends)`,
    );
    return {
      results: [
        bound('execution with TCP on a link / computed for a plain stream', '', 'lower', slower, mostSlower),
        bound('bulk over a link, to the instance', 'Gbit/s', 'higher', present(up[0], 'ours').values, leastGbit),
        bound('bulk over a link, from the instance', 'Gbit/s', 'higher', present(down[0], 'ours').values, leastGbit),
      ],
      raw: {
        'exchange in the stack ns': [
          { contestant: 'tcp', values: tcpNs },
          { contestant: 'stream', values: streamNs },
        ],
        'bulk to the instance Gbit/s': up,
        'bulk from the instance Gbit/s': down,
      },
    };
  } finally {
    await Promise.all([server.stop(), host.stop()]);
  }
}
