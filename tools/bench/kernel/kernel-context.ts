// SPDX-License-Identifier: Apache-2.0
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { BenchSettings } from '../bench.ts';
import {
  cloneCommand,
  dropNamespaces,
  instanceAddress,
  instanceCommand,
  makeNamespaces,
  prepareFunctionImage,
  writeInstanceConfig,
  type CloneOptions,
  type InstanceCommand,
  type InstanceOptions,
  type NodeNamespaces,
} from '../instance-command.ts';
import { present } from '../present.ts';
import { freePort, stopper, waitUntilAccepts } from '../references.ts';
import { ListenEvents } from './listen-events.ts';
import { parseProbeOutput } from './probe-output.ts';

const run = promisify(execFile);

/** Where and how a program runs. */
export interface Contestant {
  readonly name: string;
  /** In an instance with so many cores; undefined: on the host. */
  readonly instanceCores?: number;
  /** Confined to one core of the host by taskset. */
  readonly isOnOneCore?: boolean;
}

export const junction: Contestant = { name: 'junction', instanceCores: 1 };
export const linux: Contestant = { name: 'linux' };
/** What waits for another thread is often quicker when both share a core: the reference runs at its best. */
export const linuxOnOneCore: Contestant = { name: 'linux-one-core', isOnOneCore: true };

export interface RunningServer {
  readonly url: string;
  /** Where to attach to the instance's NIC, if it has one. */
  readonly linkPath?: string;
  /** The instance's control block, if it is one. */
  readonly controlFile?: string;
  /** The program's process, or junction_run's monitor above the instance's. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** `program` sees the host's files, or those of `chrootPath`. */
export type ServerOptions = Pick<InstanceOptions, 'environment' | 'chrootPath' | 'instanceFolder' | 'links'>;

export interface Programs {
  /** Folder of what native/src/bench/programs became. */
  readonly folder: string;
  readonly aes: string;
  readonly node: string;
  readonly python: string;
  readonly java: string;
}

const runTimeoutMs = 180_000;
const startTimeoutMs = 30_000;

/** What every part of the kernel's bench needs: the programs, and starting them on either side. */
export class KernelBench {
  readonly settings: BenchSettings;
  readonly programs: Programs;
  readonly rootfs: string;
  private readonly planFolder: string;
  private readonly namespaces: NodeNamespaces;
  private readonly listenEvents: ListenEvents;
  private readonly controlFiles = new Set<string>();
  private readonly servers = new Set<RunningServer>();

  private constructor(
    settings: BenchSettings,
    programs: Programs,
    rootfs: string,
    planFolder: string,
    namespaces: NodeNamespaces,
    listenEvents: ListenEvents,
  ) {
    this.settings = settings;
    this.programs = programs;
    this.rootfs = rootfs;
    this.planFolder = planFolder;
    this.namespaces = namespaces;
    this.listenEvents = listenEvents;
  }

  static async prepare(settings: BenchSettings): Promise<KernelBench> {
    const { root, workFolder } = settings;
    settings.progress('programs and their patch plans');
    const programs: Programs = {
      folder: join(root, 'native/build/release/src/bench/programs'),
      aes: join(root, 'functions/dist/bin/aes'),
      node: process.execPath,
      python: '/usr/bin/python3',
      java: await realpath('/usr/bin/java'),
    };
    for (const file of [programs.aes, programs.python, join(programs.folder, 'kernel_probe')]) {
      if (!existsSync(file)) {
        throw new Error(`${file} is missing (what tests and benches need: tools/bootstrap/apt-packages-test.txt)`);
      }
    }
    const rootfs = await prepareFunctionImage(workFolder, programs.aes);
    const planFolder = join(workFolder, 'plans');
    await mkdir(planFolder);
    const javaHome = join(programs.java, '../..');
    const planned = [
      rootfs, // a plan is for one file, its time included: not for the one that was copied
      ...['kernel_probe', 'nbody', 'go_calls', 'go_nbody', 'node_calls.node'].map((name) =>
        join(programs.folder, name),
      ),
      ...(await Promise.all([programs.node, programs.python, '/bin/true'].map((file) => realpath(file)))),
      join(javaHome, 'bin'),
      join(javaHome, 'lib'),
      ...(await sharedLibraries([programs.node, programs.python, programs.java])),
    ];
    await run(join(root, 'native/build/release/junction_plan'), ['--out', planFolder, ...planned], {
      maxBuffer: 1 << 26,
    });
    const namespaces = await makeNamespaces(root, workFolder);
    return new KernelBench(
      settings,
      programs,
      rootfs,
      planFolder,
      namespaces,
      await ListenEvents.open(join(workFolder, 'events')),
    );
  }

  /** Runs a measuring program to its end; what it measured. */
  async measure(contestant: Contestant, program: readonly string[]): Promise<Map<string, number>> {
    const { command } = await this.commandOf(contestant, program, {});
    try {
      const { stdout } = await run(present(command[0], 'a program'), command.slice(1), {
        timeout: runTimeoutMs,
        killSignal: 'SIGKILL',
        env: plainEnvironment,
      });
      return parseProbeOutput(stdout);
    } catch (error) {
      throw new Error(`${contestant.name}: ${program.join(' ')} failed`, { cause: error });
    }
  }

  /** Starts a server that listens on $PORT; answers once it does. */
  async startServer(
    contestant: Contestant,
    program: readonly string[],
    options: ServerOptions = {},
  ): Promise<RunningServer> {
    const port = contestant.instanceCores === undefined ? await freePort() : 8080;
    const environment = { ...options.environment, PORT: port.toString() };
    const inInstance = contestant.instanceCores !== undefined;
    const { command, controlFile } = await this.commandOf(contestant, program, { ...options, environment });
    const child = spawn(present(command[0], 'a program'), command.slice(1), {
      env: inInstance ? plainEnvironment : { ...plainEnvironment, ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const stop = stopper(child);
    try {
      const pid = present(child.pid, `the process of ${contestant.name}`);
      const hostPort = inInstance ? await this.listenEvents.portOf(pid, startTimeoutMs) : port;
      const hasNic = options.links !== undefined;
      if (!hasNic) {
        await waitUntilAccepts(hostPort, child, `${contestant.name}: ${program.join(' ')}`);
      }
      const server: RunningServer = {
        url: `http://${hasNic ? instanceAddress : '127.0.0.1'}:${hostPort.toString()}/`,
        ...(hasNic && options.instanceFolder !== undefined
          ? { linkPath: join(options.instanceFolder, 'links.sock') }
          : {}),
        ...(controlFile === undefined ? {} : { controlFile }),
        pid,
        stop: async () => {
          this.servers.delete(server);
          await stop();
        },
      };
      this.servers.add(server);
      return server;
    } catch (error) {
      await stop();
      throw error;
    }
  }

  /** The Go AES server, on the host or as the only file of an instance's root. */
  startAes(contestant: Contestant, options: Omit<ServerOptions, 'chrootPath'> = {}): Promise<RunningServer> {
    return contestant.instanceCores === undefined
      ? this.startServer(contestant, [this.programs.aes], options)
      : this.startServer(contestant, ['/aes'], { ...options, chrootPath: this.rootfs });
  }

  /** A clone of a template with a NIC needs a folder and links of its own. */
  async cloneOf(templateFolder: string, options: CloneOptions = {}): Promise<InstanceCommand> {
    const config = await writeInstanceConfig(this.settings.workFolder, 1);
    const clone = cloneCommand(this.settings.root, config, templateFolder, options);
    this.controlFiles.add(clone.controlFile);
    return clone;
  }

  async commandOf(
    contestant: Contestant,
    program: readonly string[],
    options: ServerOptions,
  ): Promise<{ command: string[]; controlFile?: string }> {
    const confined = contestant.isOnOneCore === true ? ['taskset', '--cpu-list', '0'] : [];
    if (contestant.instanceCores === undefined) {
      return { command: [...confined, ...program] };
    }
    const config = await writeInstanceConfig(this.settings.workFolder, contestant.instanceCores);
    const instance = instanceCommand(
      this.settings.root,
      config,
      {
        ...options,
        environment: { ...plainEnvironment, ...options.environment },
        planFolder: this.planFolder,
        namespaces: this.namespaces,
        notifySocket: this.listenEvents.path,
      },
      program,
    );
    this.controlFiles.add(instance.controlFile);
    return { command: [...confined, ...instance.command], controlFile: instance.controlFile };
  }

  /** Ends what still runs and removes what instances leave on the host; the work folder is the caller's. */
  async cleanUp(): Promise<void> {
    await Promise.all([...this.servers].map((server) => server.stop()));
    await this.listenEvents.close();
    await dropNamespaces(this.namespaces);
    await Promise.all([...this.controlFiles].map((file) => rm(file, { force: true })));
  }
}

const plainEnvironment = { PATH: '/usr/bin:/bin' };

/** The libraries that the dynamic linker would load for the programs, and the linker itself. */
async function sharedLibraries(programs: readonly string[]): Promise<string[]> {
  const { stdout } = await run('ldd', [...programs]);
  const paths = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  return [...new Set(await Promise.all(paths.map((path) => realpath(path))))];
}
