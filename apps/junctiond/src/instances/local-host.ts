// SPDX-License-Identifier: Apache-2.0
// The host as instances see it: folders, cgroups, secrets, junction_run processes and control blocks of this machine.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { cpuQuotaMillicores } from '@junctiond/instance-model';
import type { ControlBlock, SpawnOptions } from '@junctiond/native-binding';

import type { CgroupService } from '../cgroups/cgroup.service.js';
import type { Clock } from '../clock.js';
import { JunctiondError } from '../junctiond.error.js';
import { lastLogTexts, lastTexts } from '../logs/last-lines.js';
import type { NamespaceFiles } from '../namespace-files.js';
import { REASON_LINES } from './exit-reason.js';
import type { HostProcess, InstanceHost, ListeningPort, UprocLaunch } from './instance-host.js';
import { type InstancePlaces, placesOf } from './instance-places.js';
import { networkOf } from './instance-network.js';
import type { GuestProcess, InstanceRecord, ProcessId } from './instance-record.js';
import {
  hostId,
  IDS_PER_INSTANCE,
  type LaunchPlan,
  type LaunchSettings,
  planLaunch,
  planUproc,
} from './launch-plan.js';
import { parseListeningSockets } from './listening-sockets.js';
import type { RecordFiles } from './record-files.js';
import { instanceResolvConf } from './resolv-conf.js';
import { loadSecrets, saveSecrets, type Secrets, type SecretsFolder } from './secrets-folder.js';
import { type InstanceStatus, readStatus } from './status-file.js';

export interface LocalHostParts {
  readonly dirs: { readonly instancesDir: string; readonly runDir: string };
  /** Path of junction_run. */
  readonly runBinary: string;
  readonly settings: LaunchSettings;
  /** Those that there are by now. */
  namespaceFiles(): NamespaceFiles;
  readonly cgroups: CgroupService;
  readonly secrets: SecretsFolder;
  readonly records: RecordFiles;
  readonly clock: Clock;
  imageDirsOf(digest: string): { readonly rootfsDir: string; readonly plansDir?: string };
  spawn(options: SpawnOptions): HostProcess;
  openProcess(id: ProcessId): HostProcess | undefined;
  openControl(path: string): Pick<ControlBlock, 'snapshot' | 'setCoreLimit' | 'close'>;
  /** So that the next junctiond goes on behind it. */
  slotTaken(slot: number): void;
  trouble(message: string, cause: unknown): void;
}

/** A dead process leaves its cgroup a moment after its end is seen; so often and so long a removal is tried again. */
const CGROUP_ATTEMPTS = 100;
const CGROUP_RETRY_MS = 10;

export class LocalHost implements InstanceHost {
  readonly #parts: LocalHostParts;
  /** Of the last further program, for the name of its file. */
  #uprocNumber = 0;

  constructor(parts: LocalHostParts) {
    this.#parts = parts;
  }

  /** Makes the folders of a new instance. */
  create(record: InstanceRecord): void {
    makeFolders(this.#places(record.spec.id));
    this.#parts.slotTaken(record.slot);
  }

  /** Writes the whole set of an instance's secrets, for the guest and for a start after a reboot. */
  writeSecrets(record: InstanceRecord, secrets: Secrets): void {
    const { slot, guest, spec } = record;
    const { uidBase } = this.#parts.settings;
    const owner = { uid: hostId(slot, guest.uid, uidBase), gid: hostId(slot, guest.gid, uidBase) };
    saveSecrets(this.#places(spec.id).secretsFile, secrets);
    this.#parts.secrets.write(spec.id, secrets, owner);
  }

  save(record: InstanceRecord): Promise<void> {
    return this.#parts.records.save(record);
  }

  prepare(record: InstanceRecord): void {
    const { spec } = record;
    const places = this.#places(spec.id);
    const { config, env } = this.#plan(record, places);
    makeFolders(places);
    writeFileSync(places.configFile, config, { mode: 0o600 });
    writeFileSync(places.envFile, env, { mode: 0o600 });
    this.#prepareNic(record, places);
    rmSync(places.statusFile, { force: true });
    this.#restoreSecrets(record);
    this.#parts.cgroups.create(spec.id, {
      memoryBytes: spec.memoryLimitBytes,
      pids: spec.pidsLimit,
      cpuMillicores: cpuQuotaMillicores(spec),
    });
    this.#parts.records.saveNow(record);
  }

  launch(record: InstanceRecord): HostProcess {
    const places = this.#places(record.spec.id);
    return this.#parts.spawn({
      file: this.#parts.runBinary,
      args: this.#plan(record, places).args,
      env: {},
      cwd: '/',
      stdoutFile: places.monitorLogFile,
      stderrFile: places.monitorLogFile,
    });
  }

  launchUproc(record: InstanceRecord, guest: GuestProcess): UprocLaunch {
    const { id } = record.spec;
    const { instanceDir, monitorLogFile, runDir } = this.#places(id);
    this.#uprocNumber += 1;
    const envFile = join(runDir, `uproc-${this.#uprocNumber}.env`);
    const { args, env } = planUproc(id, guest, { instanceDir, envFile }, this.#parts.settings);
    const started = (): void => {
      rmSync(envFile, { force: true });
    };
    try {
      writeFileSync(envFile, env, { mode: 0o600 });
      const process = this.#parts.spawn({
        file: this.#parts.runBinary,
        args,
        env: {},
        cwd: '/',
        stdoutFile: monitorLogFile,
        stderrFile: monitorLogFile,
      });
      return { process, started };
    } catch (error) {
      started();
      throw error;
    }
  }

  attach(id: ProcessId): HostProcess | undefined {
    return this.#parts.openProcess(id);
  }

  status(id: string): Promise<InstanceStatus | undefined> {
    return readStatus(this.#places(id).statusFile);
  }

  async lastOutput({ spec, startedAtMs }: InstanceRecord): Promise<string[]> {
    const { instanceDir, monitorLogFile } = this.#places(spec.id);
    const output = await lastLogTexts(instanceDir, REASON_LINES, startedAtMs ?? 0);
    return output.length > 0 ? output : lastTexts(monitorLogFile, REASON_LINES);
  }

  /** What the control block says, as far as the host's own table of sockets bears it out where they are the host's. */
  ports(record: InstanceRecord): ListeningPort[] {
    let ports: ListeningPort[];
    try {
      const control = this.#parts.openControl(this.#places(record.spec.id).controlFile);
      try {
        ports = control.snapshot().ports.filter(({ protocol, listening }) => protocol === 'tcp' && listening);
      } finally {
        control.close();
      }
    } catch (cause) {
      this.#parts.trouble(`the control block of instance ${record.spec.id} cannot be read`, cause);
      return [];
    }
    if (this.#linksPathOf(record) !== '') {
      // At its own address, where no port is moved.
      return ports.map(({ guestPort }) => ({ guestPort, hostPort: guestPort }));
    }
    return ports.length === 0 ? [] : ports.filter(this.#ownedBy(record));
  }

  applyCoreLimit(record: InstanceRecord): void {
    const { id, coreLimit } = record.spec;
    this.#parts.cgroups.limitCpu(id, cpuQuotaMillicores(record.spec));
    const control = this.#parts.openControl(this.#places(id).controlFile);
    try {
      control.setCoreLimit(coreLimit);
    } finally {
      control.close();
    }
  }

  /** The record goes last: as long as it is there, the next junctiond goes on with the removal. */
  async remove(record: InstanceRecord): Promise<void> {
    const { id } = record.spec;
    await this.#parts.records.close(id);
    if (record.network !== undefined && record.network.linksPath !== '') {
      await rm(record.network.linksPath, { force: true });
    }
    await this.removeLeftovers(id);
  }

  /** A junction_run that was killed left its socket. */
  #prepareNic(record: InstanceRecord, places: InstancePlaces): void {
    const linksPath = this.#linksPathOf(record);
    if (linksPath !== '') {
      rmSync(linksPath, { force: true });
      const { gateway } = this.#parts.settings.network.range;
      writeFileSync(places.resolvConfFile, instanceResolvConf(hostResolvConf(), gateway), { mode: 0o600 });
    }
  }

  #linksPathOf(record: InstanceRecord): string {
    return networkOf(record, this.#parts.settings.network).linksPath;
  }

  /** Removes everything that bears an instance's name, whether there is a record of it or not. */
  async removeLeftovers(id: string): Promise<void> {
    const places = this.#places(id);
    await Promise.all([
      this.#removeCgroups(id),
      this.#parts.secrets.remove(id),
      rm(places.runDir, { recursive: true, force: true }),
    ]);
    await rm(places.instanceDir, { recursive: true, force: true });
  }

  async #removeCgroups(id: string): Promise<void> {
    for (let attempt = 0; attempt < CGROUP_ATTEMPTS; attempt += 1) {
      if (this.#parts.cgroups.remove(id)) {
        return;
      }
      await new Promise<void>((resolve) => this.#parts.clock.after(CGROUP_RETRY_MS, resolve));
    }
    this.#parts.trouble(
      `the cgroup of instance ${id} stays until the next start`,
      new JunctiondError('internal', 'a process is still in it'),
    );
  }

  /** After a reboot the folder in memory is gone; what is kept on disk is put there again. */
  #restoreSecrets(record: InstanceRecord): void {
    const { id } = record.spec;
    if (!record.hasSecrets || this.#parts.secrets.has(id)) {
      return;
    }
    const secrets = loadSecrets(this.#places(id).secretsFile);
    if (secrets === undefined) {
      throw new JunctiondError('internal', `the secrets of instance ${id} are lost`);
    }
    this.writeSecrets(record, secrets);
  }

  #ownedBy(record: InstanceRecord): (port: ListeningPort) => boolean {
    const first = hostId(record.slot, 0, this.#parts.settings.uidBase);
    const owned = new Set(
      ['/proc/net/tcp', '/proc/net/tcp6']
        .flatMap((file) => parseListeningSockets(readFileSync(file, 'utf8')))
        .filter(({ uid }) => uid >= first && uid < first + IDS_PER_INSTANCE)
        .map(({ port }) => port),
    );
    return ({ hostPort }) => owned.has(hostPort);
  }

  #plan(record: InstanceRecord, places: InstancePlaces): LaunchPlan {
    const { cgroups, secrets, settings } = this.#parts;
    const context = {
      places,
      ...this.#parts.imageDirsOf(record.imageDigest),
      secretsDir: secrets.dirOf(record.spec.id),
      cgroupDirs: cgroups.dirsOf(record.spec.id),
      ...this.#parts.namespaceFiles(),
    };
    return planLaunch(record, context, settings);
  }

  #places(id: string): InstancePlaces {
    return placesOf(id, this.#parts.dirs);
  }
}

/** Read at each start: the host's resolvers change with its network. Empty where there is none. */
function hostResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return '';
  }
}

/** For root only; after a reboot the one in memory is missing. */
function makeFolders({ instanceDir, runDir }: InstancePlaces): void {
  mkdirSync(instanceDir, { recursive: true, mode: 0o700 });
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
}
