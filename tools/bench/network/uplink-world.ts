// SPDX-License-Identifier: Apache-2.0
// A host in network namespaces of its own: the real scheduler daemon with an uplink in one, a veth pair between two more. The machine's own network is not
// touched. ip-netns(8), veth(4).
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import type { BenchSettings } from '../bench.ts';
import { instanceAddress, uplinkRange } from '../instance-command.ts';
import type { RunningServer } from '../kernel/kernel-context.ts';
import type { LoadClient } from '../load.ts';
import { present } from '../present.ts';
import { stopper } from '../references.ts';

const run = promisify(execFile);

// TEST-NET-2, RFC 5737.
const nearAddress = '198.51.100.1';
const farAddress = '198.51.100.2';
const serverPort = 8080;
const patienceMs = 10_000;
const namePrefix = 'junction-bench';

/** Refuses to begin what would fail half an hour later. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new Error('this bench makes instances and network namespaces: run it as root');
  }
}

export class UplinkWorld {
  /** Of the program at the far end of the veth pair, as the near end reaches it. */
  readonly vethUrl = `http://${farAddress}:${serverPort.toString()}/`;
  /** Of a program in the attached instance, as the uplink's host reaches it. */
  readonly uplinkUrl = `http://${instanceAddress}:${serverPort.toString()}/`;
  private readonly settings: BenchSettings;
  private readonly runFolder: string;
  private readonly namespaces: string[] = [];
  private readonly stops: (() => Promise<void>)[] = [];
  private daemon: ChildProcess | undefined;

  private constructor(settings: BenchSettings) {
    this.settings = settings;
    this.runFolder = join(settings.workFolder, 'uplink');
  }

  /** `congestionControl`: of TCP in all its namespaces. */
  static async open(settings: BenchSettings, congestionControl: string): Promise<UplinkWorld> {
    requireRoot();
    const world = new UplinkWorld(settings);
    try {
      await removeLeftOver();
      await mkdir(world.runFolder);
      for (const role of ['host', 'near', 'far'] as const) {
        await world.addNamespace(role, congestionControl);
      }
      await world.addVeth();
      await world.startDaemon();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** A client that runs at the uplink's host, or at the near end of the veth pair. */
  loadAt(place: 'host' | 'near'): LoadClient {
    return this.settings.load.under(['ip', 'netns', 'exec', nameOf(place)]);
  }

  /** Starts a program at the far end of the veth pair. */
  startFar(program: readonly string[]): void {
    const words = ['netns', 'exec', nameOf('far'), ...program];
    this.stops.push(stopper(spawn('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] })));
  }

  /** Puts the instance on the uplink; its address must be `instanceAddress`. */
  async attach(server: RunningServer): Promise<void> {
    const registration = {
      op: 'add',
      id: 'bench',
      control: present(server.controlFile, 'a control file'),
      pid: server.pid,
      coreLimit: 1,
      linksPath: present(server.linkPath, 'a NIC'),
      ip: instanceAddress,
    };
    await this.ask(registration, false);
    await this.untilAttached();
  }

  /** Kills the daemon with SIGKILL and starts it anew at once; milliseconds until it has the instance back. */
  async killDaemon(): Promise<number> {
    const killed = present(this.daemon, 'a daemon');
    const ended = new Promise((resolve) => killed.once('exit', resolve));
    const begin = performance.now();
    killed.kill('SIGKILL');
    await ended;
    await this.startDaemon();
    await this.untilAttached();
    return performance.now() - begin;
  }

  async close(): Promise<void> {
    await Promise.all(this.stops.map((stop) => stop()));
    if (this.daemon !== undefined) {
      await stopper(this.daemon)();
    }
    for (const name of this.namespaces) {
      await run('ip', ['netns', 'delete', name]).catch((error: unknown) => {
        this.settings.progress(`the network namespace ${name} could not be removed: ${String(error)}`);
      });
    }
  }

  private async addNamespace(role: string, congestionControl: string): Promise<void> {
    await run('ip', ['netns', 'add', nameOf(role)]);
    this.namespaces.push(nameOf(role));
    await run('ip', ['-n', nameOf(role), 'link', 'set', 'lo', 'up']);
    const script = 'echo "$1" > /proc/sys/net/ipv4/tcp_congestion_control';
    await run('ip', ['netns', 'exec', nameOf(role), 'sh', '-c', script, 'sh', congestionControl]);
  }

  private async addVeth(): Promise<void> {
    const [near, far] = [nameOf('near'), nameOf('far')];
    await run('ip', ['link', 'add', 'veth0', 'netns', near, 'type', 'veth', 'peer', 'name', 'veth0', 'netns', far]);
    for (const [name, address] of [
      [near, nearAddress],
      [far, farAddress],
    ] as const) {
      await run('ip', ['-n', name, 'address', 'add', `${address}/24`, 'dev', 'veth0']);
      await run('ip', ['-n', name, 'link', 'set', 'veth0', 'up']);
    }
  }

  private async startDaemon(): Promise<void> {
    const words = [
      ...['netns', 'exec', nameOf('host'), join(this.settings.root, 'native/build/release/junction_scheduler')],
      ...['--run_dir', this.runFolder, '--idle_states', 'none', '--end_with_parent'],
      ...['--uplink_device', 'jn-bench', '--uplink_range', uplinkRange],
    ];
    const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    this.daemon = spawn('ip', words, { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
    await this.until('the scheduler daemon', async () => (await this.stats()) !== undefined);
  }

  private async untilAttached(): Promise<void> {
    await this.until('the uplink', async () => (await this.stats())?.includes('"attached":true') === true);
  }

  private async stats(): Promise<string | undefined> {
    return this.ask({ op: 'stats' }, true).catch(() => undefined);
  }

  private async until(what: string, isThere: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!(await isThere())) {
      if (performance.now() > deadline) {
        throw new Error(`${what} does not come up: ${(await this.stats()) ?? 'no answer of the daemon'}`);
      }
      await delay(1);
    }
  }

  /** Sends one line to the daemon; its answer, if there is one (native/src/scheduler/control_protocol.h). */
  private async ask(request: object, hasAnswer: boolean): Promise<string | undefined> {
    const socket = connect(join(this.runFolder, 'scheduler.sock'));
    try {
      return await new Promise((resolve, reject) => {
        socket.once('error', reject);
        socket.once('close', () => {
          reject(new Error('the scheduler daemon closed the connection'));
        });
        createInterface(socket).once('line', resolve).once('error', reject);
        socket.write(`${JSON.stringify(request)}\n`, () => {
          if (!hasAnswer) {
            resolve(undefined);
          }
        });
      });
    } finally {
      socket.end();
    }
  }
}

function nameOf(role: string): string {
  return `${namePrefix}-${process.pid.toString()}-${role}`;
}

/** Namespaces of benches that were killed. */
async function removeLeftOver(): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list']);
  for (const [name, pid] of stdout.matchAll(new RegExp(`^${namePrefix}-(\\d+)-\\w+`, 'gm'))) {
    if (!isRunning(Number(pid))) {
      await run('ip', ['netns', 'delete', name]);
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
