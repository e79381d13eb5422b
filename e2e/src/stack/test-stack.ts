// SPDX-License-Identifier: Apache-2.0
import { type StackPaths, stackPaths, stackPorts } from '@junctiond/config';
import { until } from '@junctiond/testing';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  type Credentials,
  type FunctionDeployment,
  type FunctionStatus,
  OpenFaasApi,
} from '../faas-cli/openfaas-api.js';

/** The project's root folder. */
export const projectRoot = join(import.meta.dirname, '../../..');

/** For the hook that starts a stack: more than `./junction up` takes before it gives up by itself. */
export const stackTimeoutMs = 180_000;

export type ProcessName =
  'gateway' | 'provider' | 'junctiond' | 'scheduler-monitor' | 'scheduler' | 'redis' | 'supervisor';

export interface StackStatus {
  readonly gatewayUrl: string;
  readonly userFile: string;
  readonly passwordFile: string;
  readonly processes: readonly {
    readonly name: ProcessName;
    readonly pid: number;
    readonly rssBytes: number;
    readonly restarts: number;
  }[];
  readonly instances: readonly {
    readonly id: string;
    readonly pid: number;
    readonly rssBytes: number;
    /** Empty where it uses the host's network. */
    readonly ip: string;
  }[];
  /** Null where there is none. */
  readonly uplink: { readonly device: string; readonly isUp: boolean; readonly addresses: readonly string[] } | null;
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A whole stack of a test's own, made by `./junction up` under another name and other ports. */
export class TestStack {
  readonly name: string;
  readonly portBase: number;
  readonly paths: StackPaths;
  readonly #settings: Readonly<Record<string, string>>;

  private constructor(name: string, portBase: number, settings: Readonly<Record<string, string>>) {
    this.name = name;
    this.portBase = portBase;
    this.paths = stackPaths(name);
    this.#settings = settings;
  }

  /** Names and ports, nothing started. `settings` are environment variables of the apps. */
  static async plan(settings: Readonly<Record<string, string>> = {}): Promise<TestStack> {
    return new TestStack(`e2e-${process.pid}-${randomInt(1000)}`, await freePortBase(), settings);
  }

  /** A running stack without functions. Ends what it had started where that fails. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<TestStack> {
    const stack = await TestStack.plan(settings);
    const result = await stack.junction('up', '--no-example');
    if (result.status === 0) return stack;
    await stack.junction('down', '--purge');
    throw new Error(`./junction up failed (${result.status}):\n${result.stdout}\n${result.stderr}`);
  }

  async stop(): Promise<void> {
    const result = await this.junction('down', '--purge');
    if (result.status !== 0) throw new Error(`./junction down failed (${result.status}):\n${result.stderr}`);
  }

  /** Runs ./junction for this stack. */
  async junction(...args: readonly string[]): Promise<CommandResult> {
    const child = spawn(join(projectRoot, 'junction'), args, {
      env: {
        ...process.env, // with JUNCTION_RUN_BINARY and the like, another build can be tested
        JUNCTION_NO_BUILD: '1',
        JUNCTION_STACK: this.name,
        JUNCTION_PORT_BASE: String(this.portBase),
        ...this.#settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  }

  get gatewayUrl(): string {
    return `http://127.0.0.1:${this.portBase}`;
  }

  get ports(): ReturnType<typeof stackPorts> {
    return stackPorts(this.portBase);
  }

  get credentials(): Credentials {
    return {
      user: readFileSync(this.paths.basicAuthUserFile, 'utf8').trim(),
      password: readFileSync(this.paths.basicAuthPasswordFile, 'utf8').trim(),
    };
  }

  /** The gateway's API with the stack's own credentials. */
  get api(): OpenFaasApi {
    return new OpenFaasApi(this.gatewayUrl, this.credentials);
  }

  functionUrl(name: string, rest = ''): string {
    return `${this.gatewayUrl}/function/${name}${rest}`;
  }

  /** Deploys and waits until as many replicas as wanted are available. */
  async deploy(deployment: FunctionDeployment): Promise<FunctionStatus> {
    const { api } = this;
    const updated = await api.updateFunction(deployment);
    const answer = updated.status === 404 ? await api.createFunction(deployment) : updated;
    if (answer.status !== 202) throw new Error(`deploying answered ${answer.status}: ${answer.text}`);
    return this.untilAvailable(deployment.service, undefined, deployment.namespace);
  }

  /** Waits until `replicas` replicas, or as many as wanted, are available. */
  async untilAvailable(name: string, replicas?: number, namespace?: string): Promise<FunctionStatus> {
    const { api } = this;
    return until(`${name} to be available`, async () => {
      const answer = await api.getFunction(name, namespace);
      if (answer.status !== 200) throw new Error(`describing ${name} answered ${answer.status}: ${answer.text}`);
      const status = answer.json() as FunctionStatus;
      const isAvailable =
        status.replicas === (replicas ?? status.replicas) && status.availableReplicas === status.replicas;
      if (!isAvailable) throw new Error(`${name} is ${answer.text}`);
      return status;
    });
  }

  async status(): Promise<StackStatus> {
    const result = await this.junction('status', '--json');
    if (result.stdout === '') throw new Error(`./junction status failed (${result.status}):\n${result.stderr}`);
    return JSON.parse(result.stdout) as StackStatus;
  }

  async pidOf(name: ProcessName): Promise<number> {
    const found = (await this.status()).processes.find((process) => process.name === name);
    if (found === undefined || found.pid <= 0) throw new Error(`${name} does not run`);
    return found.pid;
  }

  /** Sends a signal and returns the pid that got it. */
  async signal(name: ProcessName, signal: NodeJS.Signals): Promise<number> {
    const pid = await this.pidOf(name);
    process.kill(pid, signal);
    return pid;
  }

  /** Waits until the process runs under another pid than `oldPid` and the gateway says that all is well. */
  async untilBack(name: ProcessName, oldPid: number): Promise<void> {
    await until(`${name} to be back`, async () => (await this.pidOf(name)) !== oldPid, { deadlineMs: 40_000 });
    await this.untilHealthy();
  }

  async untilHealthy(): Promise<void> {
    const { api } = this;
    await until('the gateway to be healthy', async () => (await api.healthz()).status === 200, { deadlineMs: 40_000 });
  }
}

/**
 * The first of so many free ports as a stack takes, below the range from which the host takes ports of its own
 * (net.ipv4.ip_local_port_range).
 */
async function freePortBase(): Promise<number> {
  for (;;) {
    const base = 20_000 + 10 * randomInt(1_000);
    const areFree = await Promise.all(Object.values({ ...stackPorts(base) }).map(isFree));
    if (areFree.every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
