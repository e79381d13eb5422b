// SPDX-License-Identifier: Apache-2.0
// Bulk between the host's TCP and an instance over the uplink, against the same programs over a veth pair; and how long the uplink is away when its
// daemon is killed.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Lines } from '../kernel/kernel-bench.ts';
import { junction } from '../kernel/kernel-context.ts';
import { bound, compare, interleave, type Series } from '../measurement.ts';
import { present } from '../present.ts';
import type { NetworkContext } from './network-context.ts';
import { UplinkWorld } from './uplink-world.ts';

const leastOfVeth = 0.7;
const mostAwayMs = 1000;
// Linux's default, and what an instance's stack does. BBR, say, paces both by an estimate that hardly rises on paths without a round trip time.
const congestionControl = 'cubic';
// Outlasts the daemon's restart at any rate that this machine reaches.
const survivingBytes = 12_000_000_000;
const underWayMs = 100;
// Three parties share the cores here: where the host places them is settled anew with each measurement.
const bulkRoundsFactor = 2;

export async function measureUplink(context: NetworkContext): Promise<Lines> {
  const { settings, kernel } = context;
  const { progress, rounds, quick, workFolder } = settings;
  const program = join(kernel.programs.folder, 'bulk_server');
  const bytes = quick ? 1_000_000_000 : 4_000_000_000;
  progress('an uplink and a veth pair in network namespaces of their own');
  const world = await UplinkWorld.open(settings, congestionControl);
  try {
    world.startFar([program, '8080']);
    const instanceFolder = join(workFolder, 'uplink-instance');
    await mkdir(instanceFolder);
    const server = await kernel.startServer(junction, [program, '8080'], { instanceFolder, links: 1 });
    await world.attach(server);
    progress('bulk over the uplink');
    const [up, down] = (await interleave(['uplink', 'veth'], rounds * bulkRoundsFactor, async (name) => {
      const [load, url] =
        name === 'uplink' ? [world.loadAt('host'), world.uplinkUrl] : [world.loadAt('near'), world.vethUrl];
      return [await load.bulk(url, bytes, 'up'), await load.bulk(url, bytes, 'down')];
    })) as [Series[], Series[]];
    progress('the uplink after a kill of its daemon');
    const awayMs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      // Fails if the connection does not survive.
      const transfer = world.loadAt('host').bulk(world.uplinkUrl, survivingBytes, round % 2 === 0 ? 'up' : 'down');
      const away = delay(underWayMs).then(() => world.killDaemon());
      awayMs.push((await Promise.all([away, transfer]))[0]);
    }
    await server.stop();
    const label = 'bulk over the uplink';
    const awayLabel = 'uplink back after kill -9 of its daemon, with its connections';
    context.notes.push(`bulk over uplink and veth pair: TCP with ${congestionControl} and segmentation offload`);
    const compareWays = (way: string, series: Series[]): Lines['results'][number] =>
      compare(
        `${label}, ${way} the instance`,
        'Gbit/s',
        'higher',
        present(series[0], 'ours'),
        present(series[1], 'veth'),
        leastOfVeth,
      );
    return {
      results: [compareWays('to', up), compareWays('from', down), bound(awayLabel, 'ms', 'lower', awayMs, mostAwayMs)],
      raw: {
        [`${label}, to the instance, Gbit/s`]: up,
        [`${label}, from the instance, Gbit/s`]: down,
        [`${awayLabel}, ms`]: [{ contestant: 'uplink', values: awayMs }],
      },
    };
  } finally {
    await world.close();
  }
}
