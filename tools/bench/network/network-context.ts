// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { BenchSettings } from '../bench.ts';
import type { BenchStack } from '../bench-stack.ts';
import { junction, linux, type KernelBench, type RunningServer } from '../kernel/kernel-context.ts';
import type { Route } from '../load.ts';

/** As the gateway's (JUNCTION_GATEWAY_SPIN_US): so long the client polls its link before it sleeps. */
const spinUs = 100;

/** A server and how to reach it. */
export interface Contender {
  readonly server: RunningServer;
  readonly route: Route;
}

/** What every part of the network's bench needs. */
export class NetworkContext {
  readonly settings: BenchSettings;
  readonly kernel: KernelBench;
  readonly stack: BenchStack;
  readonly notes: string[] = [];
  private folders = 0;

  constructor(settings: BenchSettings, kernel: KernelBench, stack: BenchStack) {
    this.settings = settings;
    this.kernel = kernel;
    this.stack = stack;
  }

  /** The Go AES server in an instance with a NIC, reached over a link. */
  async startLinked(): Promise<Contender> {
    const instanceFolder = join(this.settings.workFolder, `linked-${(this.folders++).toString()}`);
    await mkdir(instanceFolder);
    const server = await this.kernel.startAes(junction, { instanceFolder, links: 1 });
    return {
      server,
      route: { url: server.url, spinUs, ...(server.linkPath === undefined ? {} : { linkPath: server.linkPath }) },
    };
  }

  /** The same binary as a plain process, called over the host's loopback TCP: in the settings among which the best one counts. */
  async startDirect(): Promise<Map<string, Contender>> {
    const plain = await this.kernel.startAes(linux);
    const single = await this.kernel.startAes(linux, { environment: { GOMAXPROCS: '1' } });
    return new Map([
      ['direct', { server: plain, route: { url: plain.url } }],
      ['direct-procs1', { server: single, route: { url: single.url } }],
    ]);
  }
}

/** Both sides of a comparison; the first is ours. */
export async function withContenders<T>(
  context: NetworkContext,
  use: (contenders: Map<string, Contender>) => Promise<T>,
): Promise<T> {
  const contenders = new Map<string, Contender>([['link', await context.startLinked()]]);
  try {
    for (const [name, contender] of await context.startDirect()) {
      contenders.set(name, contender);
    }
    return await use(contenders);
  } finally {
    await Promise.all([...contenders.values()].map(({ server }) => server.stop()));
  }
}
