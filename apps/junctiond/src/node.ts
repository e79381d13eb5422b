// SPDX-License-Identifier: Apache-2.0
// Puts the parts of junctiond together, and opens and closes them in order. Everything that touches the host comes in here.
import { createHash } from 'node:crypto';
import { constants, readFileSync, writeFileSync } from 'node:fs';
import { access, mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import {
  type Instance,
  IndexPool,
  parseAddressRange,
  parseAddressRange6,
  type Result,
} from '@junctiond/instance-model';
import { ControlBlock, ProcessHandle, type SpawnOptions, useAddon } from '@junctiond/native-binding';
import type { Logger, Telemetry } from '@junctiond/telemetry';

import { findCgroups } from './cgroups/cgroup-tree.js';
import { CgroupService } from './cgroups/cgroup.service.js';
import { systemClock } from './clock.js';
import { limitRuns, runCommand } from './command.js';
import { type JunctiondConfig, nodeCores } from './config.js';
import { ImageCache } from './images/image-cache.js';
import { ImageIndex } from './images/image-index.js';
import { ImageService } from './images/image.service.js';
import { PatchPlanner } from './images/patch-planner.js';
import { Skopeo } from './images/skopeo.js';
import { Umoci } from './images/umoci.js';
import { GuestProcesses } from './instances/guest-process.js';
import type { InstanceObserver } from './instances/instance-observer.js';
import type { NetworkSettings } from './instances/instance-network.js';
import { placesOf } from './instances/instance-places.js';
import { InstanceService, type NodeFindings } from './instances/instance.service.js';
import { IDS_PER_INSTANCE } from './instances/launch-plan.js';
import { LocalHost } from './instances/local-host.js';
import { NotifySocket } from './instances/notify-socket.js';
import { findMonitors } from './instances/process-table.js';
import { RecordFiles } from './instances/record-files.js';
import { SchedulerRegistrar } from './instances/scheduler-registrar.js';
import { SecretsFolder } from './instances/secrets-folder.js';
import { UsageService } from './instances/usage.service.js';
import { createMetrics } from './junctiond-metrics.js';
import { JunctiondError } from './junctiond.error.js';
import { InstanceLogs } from './logs/instance-logs.js';
import { type NamespaceFiles, openMountNamespace, openNetworkNamespace } from './namespace-files.js';
import { defaultRunBinary } from './run-binary.js';

/** First host uid of instances, and the last that a range may begin with (below 2^32, above users of the host). */
const UID_BASE = 0x1000_0000;
const LAST_UID_RANGE = 0xfffe_0000;
/** Chosen: often enough for a disk, too seldom to be seen in the idle CPU. */
const COLLECT_INTERVAL_MS = 3_600_000;

export class JunctiondNode {
  readonly images: ImageService;
  readonly instances: InstanceService;
  readonly logs: InstanceLogs;
  readonly usages: UsageService;
  readonly #config: JunctiondConfig;
  readonly #log: Logger;
  readonly #cgroups: CgroupService;
  readonly #secrets: SecretsFolder;
  readonly #records: RecordFiles;
  readonly #notify: NotifySocket;
  readonly #registrar: SchedulerRegistrar;
  #cancelCollection: (() => void) | undefined;
  #namespaceFiles: NamespaceFiles = {};

  constructor(config: JunctiondConfig, log: Logger, telemetry: Pick<Telemetry, 'meter' | 'addSource'>) {
    const { paths } = config;
    const trouble = (message: string, error: unknown): void => {
      log.warn({ error }, message);
    };
    this.#config = config;
    this.#log = log;
    if (config.addon !== undefined) {
      useAddon(config.addon);
    }
    const metrics = createMetrics(telemetry, {
      states: () => this.instances.list({}).map(({ state }) => state),
      images: () => {
        const all = this.images.list();
        return { count: all.length, bytes: all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
      },
    });

    this.#cgroups = new CgroupService(
      findCgroups(readFileSync('/proc/self/mountinfo', 'utf8'), (dir) =>
        readFileSync(join(dir, 'cgroup.controllers'), 'utf8'),
      ),
      paths.cgroup,
    );
    this.#secrets = new SecretsFolder(paths.secretsOfDir);
    this.#records = new RecordFiles(paths);
    this.#registrar = new SchedulerRegistrar({
      socketPath: paths.schedulerSocket,
      clock: systemClock,
      connected: (instances) => {
        log.info({ instances }, 'registered with the scheduler');
      },
      trouble,
    });

    const cache = new ImageCache(
      paths.imagesDir,
      readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      runCommand,
    );
    this.images = createImages(config, cache, {
      imageBrought: (result, durationMs, compressedBytes) => {
        metrics.imageBrought(result, durationMs, compressedBytes);
      },
      imageTrouble: trouble,
    });
    const network = networkSettings(config);
    const host = new LocalHost({
      dirs: paths,
      runBinary: config.runBinary ?? defaultRunBinary(),
      settings: {
        network,
        uidBase: UID_BASE,
        notifySocket: paths.junctiondEventsSocket,
        logMaxBytes: config.logMaxBytes,
        mtu: config.instanceMtu,
      },
      cgroups: this.#cgroups,
      secrets: this.#secrets,
      records: this.#records,
      clock: systemClock,
      namespaceFiles: () => this.#namespaceFiles,
      slotTaken: (slot) => {
        writeFileSync(lastSlotFile(paths.runDir), String(slot), { mode: 0o600 });
      },
      imageDirsOf: (digest) => this.images.dirsOf(digest),
      spawn: (options: SpawnOptions) => ProcessHandle.spawnDetached(options),
      openProcess: ({ pid, startTimeTicks }) => ProcessHandle.open(pid, startTimeTicks),
      openControl: (path) => ControlBlock.open(path),
      trouble,
    });
    this.usages = new UsageService({
      cgroups: this.#cgroups,
      now: () => systemClock.now(),
      openControlOf: (id) => ControlBlock.open(placesOf(id, paths).controlFile),
    });
    const capacity = Math.min(network.range.capacity, (LAST_UID_RANGE - UID_BASE) / IDS_PER_INSTANCE + 1);
    this.instances = new InstanceService({
      host,
      network,
      images: this.images,
      guests: new GuestProcesses(),
      clock: systemClock,
      random: Math.random,
      backoff: { baseMs: config.restartBaseMs, maxMs: config.restartMaxMs, stableMs: config.restartStableMs },
      slots: new IndexPool(capacity, firstSlot(paths)),
      limits: {
        defaultCoreLimit: config.defaultCoreLimit,
        maxCoreLimit: nodeCores(),
        defaultMemoryBytes: BigInt(config.defaultMemory),
        defaultPids: config.defaultPids,
        defaultListenDeadlineMs: config.defaultListenDeadlineMs,
        defaultGracePeriodMs: config.defaultGracePeriodMs,
      },
      observer: this.#observer(metrics, trouble),
    });
    this.#notify = new NotifySocket((event) => {
      this.instances.notify(event);
    });
    this.logs = new InstanceLogs(paths.instancesDir, (id) => this.instances.goneSignal(id));
  }

  /** Takes over the node. Throws when another junctiond of this stack runs, or the native parts are not built. */
  async open(): Promise<void> {
    const { paths, imageUnusedMs, runBinary = defaultRunBinary() } = this.#config;
    await access(runBinary, constants.X_OK).catch((cause: unknown) => {
      throw new JunctiondError('failed_precondition', `${runBinary} cannot be run: build the native project first`, {
        cause,
      });
    });
    ProcessHandle.open(process.pid)?.close();
    await mkdir(paths.runDir, { recursive: true, mode: 0o755 });
    await Promise.all([
      mkdir(paths.instancesDir, { recursive: true, mode: 0o700 }),
      mkdir(paths.imagesDir, { recursive: true, mode: 0o700 }),
      mkdir(join(paths.runDir, 'instances'), { recursive: true, mode: 0o700 }),
      mkdir(linksDirOf(paths.runDir), { recursive: true, mode: 0o700 }),
    ]);
    // First of all: it fails when another junctiond is there, before anything of that one is touched.
    await this.#notify.open(paths.junctiondEventsSocket);
    this.#cgroups.open();
    if (this.#cgroups.missing.length > 0) {
      this.#log.warn(
        { controllers: this.#cgroups.missing },
        'this host has no such cgroup controllers: they limit nothing',
      );
    }
    if (!(await this.#secrets.open(runCommand))) {
      this.#log.warn(
        { folder: paths.secretsOfDir },
        'secrets are on disk: the folder is not in memory and cannot be mounted',
      );
    }
    await this.#openNamespaces();
    await this.images.open();
    await this.instances.adopt(await this.#find());
    this.#registrar.open();
    this.#collectLater(imageUnusedMs);
  }

  /** Lets go of everything; instances go on. */
  async close(): Promise<void> {
    this.#cancelCollection?.();
    this.#registrar.close();
    this.instances.detach();
    await this.#notify.close();
    await this.#records.closeAll();
  }

  /** Without one of them starts take longer. */
  async #openNamespaces(): Promise<void> {
    const { paths, network, runBinary = defaultRunBinary() } = this.#config;
    const mntnsFile = join(paths.runDir, 'mntns');
    const netnsFile = join(paths.runDir, 'netns');
    try {
      await openMountNamespace(mntnsFile, runBinary, runCommand);
      this.#namespaceFiles = { mntnsFile };
    } catch (error) {
      this.#log.warn({ error }, "no mount namespace for instances: each begins with the host's mounts");
    }
    if (network !== 'nic') {
      return;
    }
    try {
      await openNetworkNamespace(netnsFile, runCommand);
      this.#namespaceFiles = { ...this.#namespaceFiles, netnsFile };
    } catch (error) {
      this.#log.warn({ error }, 'no network namespace for instances: each makes one of its own');
    }
  }

  async #find(): Promise<NodeFindings> {
    const { paths } = this.#config;
    const { records, broken } = await this.#records.load();
    const monitors = await findMonitors(paths.instancesDir);
    const names = new Set([
      ...records.map(({ spec }) => spec.id),
      ...broken,
      ...monitors.keys(),
      ...this.#cgroups.list(),
      ...(await this.#secrets.list()),
      ...(await readdir(join(paths.runDir, 'instances'))),
    ]);
    this.#log.info({ instances: records.length, running: monitors.size }, 'taking over');
    return { records, monitors, names: [...names] };
  }

  #observer(
    metrics: ReturnType<typeof createMetrics>,
    trouble: (message: string, cause: unknown) => void,
  ): InstanceObserver {
    const { paths } = this.#config;
    const states = new Map<string, Instance['state']>();
    return {
      changed: ({ spec, state, reason, pid }) => {
        this.#registrar.setCoreLimit(spec.id, spec.coreLimit);
        if (states.get(spec.id) !== state) {
          states.set(spec.id, state);
          this.#log.info({ instance: spec.id, state, guestPid: pid, ...(reason === '' ? {} : { reason }) }, 'instance');
        }
      },
      deleted: ({ spec }) => {
        states.delete(spec.id);
        this.usages.forget(spec.id);
        this.#log.info({ instance: spec.id }, 'instance deleted');
      },
      launched: (isRestart) => {
        metrics.launched(isRestart);
      },
      ready: (afterMs) => {
        metrics.ready(afterMs);
      },
      guestStarted: ({ spec, network }, guest) => {
        const control = placesOf(spec.id, paths).controlFile;
        this.#registrar.set({
          id: spec.id,
          control,
          pid: guest.pid,
          coreLimit: spec.coreLimit,
          ...(network.linksPath === ''
            ? {}
            : {
                linksPath: network.linksPath,
                number: network.number,
                ip: network.ip,
                ip6: network.ip6,
                mac: network.mac,
                allow: spec.allow,
              }),
        });
      },
      guestGone: (id) => {
        this.#registrar.remove(id);
      },
      trouble,
    };
  }

  #collectLater(unusedForMs: number): void {
    this.#cancelCollection = systemClock.after(COLLECT_INTERVAL_MS, () => {
      this.images.collectGarbage(unusedForMs).then(
        ({ removed, freedBytes }) => {
          if (removed.length > 0) {
            this.#log.info({ removed, freedBytes }, 'removed unused images');
          }
        },
        (error: unknown) => {
          this.#log.warn({ error }, 'unused images cannot be removed');
        },
      );
      this.#collectLater(unusedForMs);
    });
  }
}

function createImages(
  config: JunctiondConfig,
  cache: ImageCache,
  observer: ConstructorParameters<typeof ImageService>[0]['observer'],
): ImageService {
  const run = limitRuns(runCommand, config.imageParallel);
  const { registryAuthFile, imagePolicyFile, imageProxy } = config;
  return new ImageService({
    cache,
    observer,
    index: new ImageIndex(join(config.paths.imagesDir, 'references.json')),
    skopeo: new Skopeo(
      {
        file: config.skopeo,
        insecureRegistries: config.insecureRegistries,
        timeoutMs: config.imageTimeoutMs,
        tmpDir: cache.tmpDir,
        ...(registryAuthFile === undefined ? {} : { authFile: registryAuthFile }),
        ...(imagePolicyFile === undefined ? {} : { policyFile: imagePolicyFile }),
        ...(imageProxy === undefined ? {} : { proxy: { url: imageProxy, except: config.imageNoProxy } }),
      },
      run,
    ),
    umoci: new Umoci({ file: config.umoci, timeoutMs: config.imageTimeoutMs }, run),
    planner: new PatchPlanner({ file: planBinary(config), timeoutMs: config.imageTimeoutMs }, run),
    now: () => systemClock.now(),
  });
}

/** junction_plan stands beside junction_run. */
function planBinary({ runBinary = defaultRunBinary() }: JunctiondConfig): string {
  return join(dirname(runBinary), 'junction_plan');
}

function networkSettings(config: JunctiondConfig): NetworkSettings {
  const { paths, links, spinningKthreads } = config;
  return {
    range: parsed(parseAddressRange(config.instanceNetwork)),
    range6: parsed(parseAddressRange6(config.instanceNetwork6)),
    ...(config.network === 'nic' ? { nic: { linksDir: linksDirOf(paths.runDir), links, spinningKthreads } } : {}),
  };
}

/** Short, as paths of sockets are. */
function linksDirOf(runDir: string): string {
  return join(runDir, 'links');
}

/** The configuration was checked when it was read. */
function parsed<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(result.error);
  }
  return result.value;
}

function lastSlotFile(runDir: string): string {
  return join(runDir, 'last-slot');
}

/**
 * Behind the last one that was taken: those before it were in use not long ago. After a reboot nobody remembers them, and stacks of one
 * host begin at different places, so that two small ones do not share host users.
 */
function firstSlot({ stack, runDir }: JunctiondConfig['paths']): number {
  try {
    const last = Number(readFileSync(lastSlotFile(runDir), 'utf8'));
    if (Number.isSafeInteger(last) && last >= 0) {
      return last + 1;
    }
  } catch {
    // The first start since the host's.
  }
  return createHash('sha256').update(stack).digest().readUInt32BE(0);
}
