// SPDX-License-Identifier: Apache-2.0
// A junctiond of a test's own: a process with folders, cgroups and a stack name that nobody else has.
import { type ChildProcess, type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { instanceV1 } from '@junctiond/contracts';
import { createClient, type RpcClient } from '@junctiond/rpc';
import { until } from '@junctiond/testing';

import { addToLayout } from '../src/images/oci-layout.fixture.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A build other than the release one may be tested: these name it. */
const addon = process.env['JUNCTION_TEST_ADDON_FILE'];
const runBinary = process.env['JUNCTION_TEST_RUN_BINARY'];

export type InstanceClient = RpcClient<typeof instanceV1.InstanceServiceService>;

export class TestJunctiond {
  readonly stack: string;
  readonly #runDir: string;
  readonly #stateDir: string;
  #process: ChildProcess | undefined;
  #output = '';
  readonly instances: InstanceClient;
  readonly images: RpcClient<typeof instanceV1.ImageServiceService>;

  readonly #settings: Readonly<Record<string, string>>;

  private constructor(runDir: string, stateDir: string, settings: Readonly<Record<string, string>>) {
    this.#settings = settings;
    this.#runDir = runDir;
    this.#stateDir = stateDir;
    this.stack = `spec-${process.pid}`;
    const address = { kind: 'unix', path: join(runDir, 'junctiond.sock') } as const;
    this.instances = createClient(instanceV1.InstanceServiceService, address, { deadlineMs: 60_000 });
    this.images = createClient(instanceV1.ImageServiceService, address, { deadlineMs: 60_000 });
  }

  /** `settings` are environment variables of it. */
  static async create(settings: Readonly<Record<string, string>> = {}): Promise<TestJunctiond> {
    return new TestJunctiond(await mkdtemp('/dev/shm/jdt-'), await mkdtemp(join(tmpdir(), 'junctiond-')), settings);
  }

  get instancesDir(): string {
    return join(this.#stateDir, 'instances');
  }

  get runDir(): string {
    return this.#runDir;
  }

  /** All that it logged, for a test that failed. */
  get output(): string {
    return this.#output;
  }

  /** Starts it; settles when it answers. */
  async start(): Promise<void> {
    const child = this.#spawn();
    const collect = (chunk: Buffer): void => {
      this.#output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    this.#process = child;
    await until('junctiond answers', async () => {
      if (child.exitCode !== null) throw new Error(this.#output);
      return (await this.images.listImages({}, { deadlineMs: 1000 })).images;
    });
  }

  /** Tries to start another one of the same stack; answers what it said when it gave up. */
  async startSecond(): Promise<string> {
    const child = this.#spawn();
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await once(child, 'close');
    return output;
  }

  /** Ends it by a signal; instances go on. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.exitCode !== null) {
      return child?.exitCode ?? null;
    }
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  #spawn(): ChildProcessByStdio<null, Readable, Readable> {
    const args = ['--conditions=@junctiond/source', '--import', './tools/workspace/register-source.ts'];
    return spawn(process.execPath, [...args, 'apps/junctiond/src/main.ts'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        JUNCTION_STACK: this.stack,
        JUNCTION_RUN_DIR: this.#runDir,
        JUNCTION_STATE_DIR: this.#stateDir,
        JUNCTION_PORT_BASE: '0',
        JUNCTION_JUNCTIOND_NETWORK: 'host', // its ports can be called without an uplink; nic.spec.ts is about the other
        ...(addon === undefined ? {} : { JUNCTION_ADDON: addon }),
        ...(runBinary === undefined ? {} : { JUNCTION_RUN_BINARY: runBinary }),
        ...this.#settings,
      },
    });
  }

  /** Deletes all instances, ends it and removes what it had. */
  async destroy(): Promise<void> {
    if (this.#process !== undefined) {
      const { instances } = await this.instances.listInstances({ labels: {}, usage: false });
      await Promise.all(
        instances.map(({ spec }) =>
          this.instances.deleteInstance({ id: spec?.id ?? '', force: true, gracePeriodMs: 1 }),
        ),
      );
      await this.end('SIGTERM');
    }
    this.instances.close();
    this.images.close();
    for (const dir of await this.cgroups()) {
      await run('rmdir', [dir]);
    }
    // Namespaces of instances; they are gone already where the test's own was left.
    for (const name of ['netns', 'mntns']) {
      await run('umount', ['--lazy', join(this.#runDir, name)]).catch(() => undefined);
    }
    await rm(this.#runDir, { recursive: true, force: true });
    await rm(this.#stateDir, { recursive: true, force: true });
  }

  /** The folders of the stack's cgroup and of those below it. */
  async cgroups(): Promise<string[]> {
    const { stdout } = await run('find', [
      '/sys/fs/cgroup',
      '-depth',
      '-type',
      'd',
      '-path',
      `*/junctiond-${this.stack}*`,
    ]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** Settles when the instance is in a state that `accept` likes, and answers it. */
  async waitFor(
    id: string,
    what: string,
    accept: (instance: instanceV1.Instance) => boolean,
  ): Promise<instanceV1.Instance> {
    const stop = new AbortController();
    let last: instanceV1.Instance | undefined;
    const deadline = AbortSignal.timeout(30_000);
    try {
      const signal = AbortSignal.any([stop.signal, deadline]);
      for await (const { instances } of this.instances.watchInstances(
        { labels: {} },
        { deadlineMs: Infinity, signal },
      )) {
        const found = instances.find(({ spec }) => spec?.id === id);
        last = found ?? last;
        if (found !== undefined && accept(found)) return found;
        if (found?.state === instanceV1.InstanceState.INSTANCE_STATE_FAILED) break;
      }
    } catch (error) {
      if (!deadline.aborted) throw error;
    } finally {
      stop.abort();
    }
    throw new Error(
      `waited in vain for ${what}; last seen ${String(last?.state)} ${last?.reason ?? ''}\n${this.#output}`,
    );
  }

  waitReady(id: string): Promise<instanceV1.Instance> {
    return this.waitFor(
      id,
      `${id} to be ready`,
      ({ state }) => state === instanceV1.InstanceState.INSTANCE_STATE_READY,
    );
  }

  /** What the guest answers to a path. */
  async ask(instance: instanceV1.Instance, path: string): Promise<string> {
    const port = instance.ports.find(({ guestPort }) => guestPort === 8080);
    const answer = await fetch(`http://${port?.host ?? ''}:${port?.hostPort ?? 0}${path}`);
    return answer.text();
  }

  async logTexts(id: string): Promise<string[]> {
    const texts: string[] = [];
    const query = { id, tailLines: 0, follow: false, since: undefined };
    for await (const { text } of this.instances.readLogs(query, { deadlineMs: 10_000 })) texts.push(text);
    return texts;
  }
}

/** Compiles guest.c and puts it into an OCI layout; answers the layout's folder. */
export async function buildGuestImage(folder: string): Promise<string> {
  const program = join(folder, 'guest');
  await run('gcc', ['-O1', '-static', '-o', program, fileURLToPath(new URL('guest.c', import.meta.url))]);
  const layout = join(folder, 'image');
  await addToLayout(layout, {
    tag: 'latest',
    layers: [
      [
        { name: 'guest', content: await readFile(program), mode: 0o755 },
        { name: 'etc/passwd', content: 'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n' },
        { name: 'var/openfaas/secrets', type: '5' },
      ],
    ],
    config: { Entrypoint: ['/guest'], Env: ['FROM_IMAGE=yes'], User: 'app' },
  });
  return layout;
}

/** A spec with nothing set but what is named. */
export function specOf(change: Partial<instanceV1.InstanceSpec>): instanceV1.InstanceSpec {
  return { ...instanceV1.InstanceSpec.fromPartial({}), ...change };
}

/** True while a process of the host is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
