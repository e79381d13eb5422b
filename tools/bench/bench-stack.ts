// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import {
  instanceCommand,
  prepareFunctionImage,
  writeInstanceConfig,
  type InstanceCommand,
} from './instance-command.ts';
import { cpuNs } from './process-figures.ts';

const run = promisify(execFile);

export interface ProcessMemory {
  readonly name: string;
  readonly rssBytes: number;
  readonly controlPlane: boolean;
}

interface StackStatus {
  readonly gatewayUrl: string;
  readonly userFile: string;
  readonly passwordFile: string;
  readonly processes: { name: string; pid: number; rssBytes: number }[];
  readonly instances: { id: string; pid: number; rssBytes: number }[];
}

export interface BenchStackOptions {
  /** The checkout. */
  readonly root: string;
  readonly stack: string;
  readonly portBase: number;
  /** The Go AES server as a plain Linux binary. */
  readonly functionBinary: string;
  readonly progress: (line: string) => void;
}

const functionName = 'aes';

/** A stack of its own for a bench, so that a user's stack is neither measured nor disturbed. */
export class BenchStack {
  readonly functionBinary: string;
  private readonly root: string;
  private readonly environment: NodeJS.ProcessEnv;
  private readonly progress: (line: string) => void;
  private status: StackStatus | undefined;

  constructor(options: BenchStackOptions, environment: NodeJS.ProcessEnv) {
    this.root = options.root;
    this.functionBinary = options.functionBinary;
    this.progress = options.progress;
    this.environment = {
      ...environment,
      JUNCTION_STACK: options.stack,
      JUNCTION_PORT_BASE: options.portBase.toString(),
      // The bench sets the machine's idle states itself, for all contestants alike.
      JUNCTION_IDLE_STATES: 'none',
    };
  }

  get invokeUrl(): string {
    return `${this.known().gatewayUrl}/function/${functionName}`;
  }

  /** Starts the stack with the AES function at one replica. */
  async start(): Promise<void> {
    this.progress('starting a stack for the bench');
    await run(join(this.root, 'junction'), ['up'], { env: this.environment, maxBuffer: 1 << 26 });
    await this.refresh();
  }

  async stop(): Promise<void> {
    await run(join(this.root, 'junction'), ['down', '--purge'], { env: this.environment, maxBuffer: 1 << 26 });
  }

  /** A root file system with nothing but the function, and the command that starts it in an instance. */
  async prepareInstance(folder: string): Promise<InstanceCommand> {
    const rootfs = await prepareFunctionImage(folder, this.functionBinary);
    const config = await writeInstanceConfig(folder, 1);
    return instanceCommand(this.root, config, { chrootPath: rootfs }, ['/aes']);
  }

  /** Scales the function to zero and waits until its replica is gone. */
  async scaleToZero(): Promise<void> {
    const body = JSON.stringify({ serviceName: functionName, replicas: 0 });
    const answer = await this.api(`/system/scale-function/${functionName}`, { method: 'POST', body });
    if (answer.status !== 202) {
      throw new Error(`scaling to zero was refused: ${answer.status.toString()} ${await answer.text()}`);
    }
    const deadline = Date.now() + 10_000;
    for (;;) {
      await this.refresh();
      if (this.known().instances.length === 0) {
        return;
      }
      if (Date.now() > deadline) {
        throw new Error('the replica did not go within 10 s');
      }
      await delay(50);
    }
  }

  /** CPU of the whole stack, its instances included, over `seconds`, in % of one core; one value a second. */
  async idleCpuPercent(seconds: number): Promise<number[]> {
    await delay(3000); // what the last measurement set off has ended by then
    await this.refresh();
    const pids = [...this.known().processes, ...this.known().instances].map((entry) => entry.pid);
    const values: number[] = [];
    let before = await cpuNs(pids);
    let since = process.hrtime.bigint();
    for (let second = 0; second < seconds; second += 1) {
      await delay(1000);
      const now = process.hrtime.bigint();
      const after = await cpuNs(pids);
      values.push(((after - before) / Number(now - since)) * 100);
      before = after;
      since = now;
    }
    return values;
  }

  async residentMemory(): Promise<ProcessMemory[]> {
    await this.refresh();
    const { processes, instances } = this.known();
    return [
      ...processes.map(({ name, rssBytes }) => ({ name, rssBytes, controlPlane: true })),
      ...instances.map(({ id, rssBytes }) => ({ name: id, rssBytes, controlPlane: false })),
    ];
  }

  private known(): StackStatus {
    if (this.status === undefined) {
      throw new Error('the bench stack is not started');
    }
    return this.status;
  }

  private async refresh(): Promise<void> {
    const { stdout } = await run(join(this.root, 'junction'), ['status', '--json'], { env: this.environment });
    this.status = JSON.parse(stdout) as StackStatus;
  }

  private async api(path: string, init: RequestInit): Promise<Response> {
    const { gatewayUrl, userFile, passwordFile } = this.known();
    const user = (await readFile(userFile, 'utf8')).trim();
    const password = (await readFile(passwordFile, 'utf8')).trim();
    const credentials = Buffer.from(`${user}:${password}`).toString('base64');
    return fetch(`${gatewayUrl}${path}`, { ...init, headers: { authorization: `Basic ${credentials}` } });
  }
}
