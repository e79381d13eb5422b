// SPDX-License-Identifier: Apache-2.0
// All instances of this node: creates them, finds them, and takes over those of an earlier junctiond.
import {
  clampCoreLimit,
  hasProcess,
  type IndexPool,
  type Instance,
  type InstanceLimits,
  type InstanceRequest,
  resolveInstanceSpec,
  secretFaults,
  type SpecFault,
  uprocFaults,
  type UprocRequest,
  validateInstanceRequest,
} from '@junctiond/instance-model';

import type { ImageLease, ImageService } from '../images/image.service.js';
import { JunctiondError } from '../junctiond.error.js';
import type { GuestProcesses } from './guest-process.js';
import type { InstanceHost } from './instance-host.js';
import type { GuestProcess, InstanceRecord, ProcessId } from './instance-record.js';
import { InstanceSupervisor, type SupervisorParts } from './instance-supervisor.js';
import { type InstanceChange, InstanceWatch, type LabelQuery, matches } from './instance-watch.js';
import type { NotifyEvent } from './notify-event.js';
import type { Secrets } from './secrets-folder.js';
import { UprocAdder } from './uproc-adder.js';

/** What this service needs of the host beyond what each supervisor needs. */
export interface NodeHost extends InstanceHost {
  create(record: InstanceRecord): void;
  writeSecrets(record: InstanceRecord, secrets: Secrets): void;
  removeLeftovers(id: string): Promise<void>;
}

/** What an earlier junctiond left on this node. */
export interface NodeFindings {
  readonly records: readonly InstanceRecord[];
  /** junction_run processes by instance. */
  readonly monitors: ReadonlyMap<string, readonly ProcessId[]>;
  /** Every name under which something of an instance was found. */
  readonly names: readonly string[];
}

export interface InstanceServiceParts extends Omit<SupervisorParts, 'host'> {
  readonly host: NodeHost;
  readonly images: Pick<ImageService, 'acquire' | 'hold'>;
  readonly guests: GuestProcesses;
  readonly limits: InstanceLimits;
  readonly slots: IndexPool;
}

/** signal(7). */
const SIGKILL = 9;

export class InstanceService {
  readonly #parts: InstanceServiceParts;
  readonly #supervisors = new Map<string, InstanceSupervisor>();
  /** The image of each instance that is here. */
  readonly #leases = new Map<string, ImageLease>();
  /** Ids whose instance is being created. */
  readonly #coming = new Set<string>();
  readonly #watch = new InstanceWatch();
  readonly #adder: UprocAdder;

  constructor(parts: InstanceServiceParts) {
    this.#parts = parts;
    this.#adder = new UprocAdder(parts);
  }

  /**
   * Throws invalid_argument with all faults, already_exists, resource_exhausted (no address left) and what bringing the image
   * throws. A start that fails is not an error here: the instance is there, failed, with the reason.
   */
  async create(request: InstanceRequest, options: { readonly leaveStopped: boolean }): Promise<Instance> {
    refuse(validateInstanceRequest(request));
    const { id } = request;
    if (this.#supervisors.has(id) || this.#coming.has(id)) {
      throw new JunctiondError('already_exists', `instance ${id} exists already`);
    }
    this.#coming.add(id);
    try {
      const supervisor = await this.#prepare(request);
      if (options.leaveStopped) {
        await this.#parts.host.save(supervisor.record);
        this.#watch.publish('changed', supervisor.instance);
      } else {
        supervisor.start();
      }
      return supervisor.instance;
    } finally {
      this.#coming.delete(id);
    }
  }

  start(id: string): Instance {
    const supervisor = this.#find(id);
    supervisor.start();
    return supervisor.instance;
  }

  /** Settles when no process is left. `graceMs` 0 = as the instance was created with. */
  async stop(id: string, graceMs: number): Promise<Instance> {
    const supervisor = this.#find(id);
    await supervisor.stop(graceMs === 0 ? supervisor.record.spec.gracePeriodMs : graceMs);
    return supervisor.instance;
  }

  async delete(id: string, options: { readonly force: boolean; readonly graceMs: number }): Promise<void> {
    const supervisor = this.#find(id);
    const graceMs = options.graceMs === 0 ? supervisor.record.spec.gracePeriodMs : options.graceMs;
    await supervisor.delete({ force: options.force, graceMs });
  }

  /** Throws not_found. */
  get(id: string): Instance {
    return this.#find(id).instance;
  }

  list(labels: LabelQuery): Instance[] {
    return this.#all().filter((instance) => matches(instance, labels));
  }

  watch(labels: LabelQuery, signal: AbortSignal): AsyncGenerator<InstanceChange> {
    return this.#watch.watch(() => this.#all(), labels, signal);
  }

  /** Aborted when the instance is deleted. Throws not_found. */
  goneSignal(id: string): AbortSignal {
    return this.#find(id).goneSignal;
  }

  /** A limit above the node's cores is lowered to them. Throws invalid_argument for 0. */
  setCoreLimit(id: string, coreLimit: number): Instance {
    if (coreLimit === 0) {
      throw new JunctiondError('invalid_argument', 'core_limit must be at least 1');
    }
    const supervisor = this.#find(id);
    supervisor.setCoreLimit(clampCoreLimit(coreLimit, this.#parts.limits));
    return supervisor.instance;
  }

  /**
   * Starts a further program in a running instance and answers its host pid. What `uproc` leaves empty is as of the first one; `env` is on
   * top of that one's. Throws invalid_argument with all faults, failed_precondition when the instance does not run, and as UprocAdder.
   */
  async addUproc(id: string, uproc: UprocRequest, signal: AbortSignal): Promise<number> {
    const { record } = this.#find(id);
    const { spec, state, guest } = record;
    refuse([...uprocFaults(uproc), ...otherUserFaults(uproc.user, record)]);
    if (state !== 'starting' && state !== 'ready') {
      throw new JunctiondError('failed_precondition', `instance ${spec.id} is ${state}: it does not run`);
    }
    const program: GuestProcess = {
      ...guest,
      args: uproc.args.length === 0 ? guest.args : uproc.args,
      env: { ...guest.env, ...uproc.env },
      cwd: uproc.cwd === '' ? guest.cwd : uproc.cwd,
    };
    return this.#adder.add(record, program, signal);
  }

  /** Replaces the whole set. Throws failed_precondition when the instance was created without secrets. */
  updateSecrets(id: string, secrets: Secrets): void {
    refuse(secretFaults(secrets));
    const { record } = this.#find(id);
    if (!record.hasSecrets) {
      throw new JunctiondError(
        'failed_precondition',
        `instance ${id} was created without secrets, so it has no folder for them`,
      );
    }
    this.#parts.host.writeSecrets(record, secrets);
  }

  /** What a junction_run reports; of instances that are not known here, nothing is taken. */
  notify(event: NotifyEvent): void {
    const supervisor = this.#supervisors.get(event.id);
    switch (event.kind) {
      case 'started':
        supervisor?.guestStarted(event.guest, event.monitorPid);
        break;
      case 'listening':
        supervisor?.guestListens(event.guestPort, event.hostPort, event.monitorPid);
        break;
      case 'closed':
        supervisor?.guestClosed(event.guestPort, event.monitorPid);
        break;
      case 'uprocStarted':
      case 'uprocExited':
        this.#adder.notify(event);
        break;
    }
  }

  /**
   * Takes over what an earlier junctiond left: running instances go on as they are, those that ended meanwhile are handled by
   * their policy, and what belongs to no instance is removed. Reports of junction_run must be coming in already.
   */
  async adopt(findings: NodeFindings): Promise<void> {
    const { observer } = this.#parts;
    const adopted = findings.records.filter((record) => this.#adoptRecord(record));
    await Promise.all(
      adopted.map(async ({ spec, state }) => {
        const found = findings.monitors.get(spec.id) ?? [];
        // A process of an instance that is to have none, or a second one, is not wanted.
        const [monitor, ...others] = hasProcess(state) ? found : [undefined, ...found];
        await this.#kill(others.filter((process) => process !== undefined));
        await this.#find(spec.id).adopt(monitor);
      }),
    );
    const left = findings.names.filter((name) => !this.#supervisors.has(name));
    await Promise.all(
      left.map(async (name) => {
        try {
          await this.#kill(findings.monitors.get(name) ?? []);
          await this.#parts.host.removeLeftovers(name);
        } catch (cause) {
          observer.trouble(`what is left of instance ${name} cannot be removed`, cause);
        }
      }),
    );
  }

  /** Lets go of all instances; they go on. */
  detach(): void {
    this.#adder.detach();
    this.#supervisors.forEach((supervisor) => {
      supervisor.detach();
    });
  }

  async #prepare(request: InstanceRequest): Promise<InstanceSupervisor> {
    const { images, guests, limits, slots, host, clock } = this.#parts;
    const spec = resolveInstanceSpec(request, limits);
    const image = await images.acquire(request.image);
    let slot: number | undefined;
    try {
      const guest = await guests.resolve(spec, image);
      slot = slots.allocate();
      if (slot === undefined) {
        throw new JunctiondError('resource_exhausted', `all ${slots.capacity} addresses for instances are taken`);
      }
      const hasSecrets = Object.keys(request.secrets).length > 0;
      const record: InstanceRecord = {
        spec,
        slot,
        guest,
        hasSecrets,
        imageDigest: image.digest,
        createdAtMs: clock.now(),
        state: 'created',
        reason: '',
        restarts: 0,
        failures: 0,
      };
      host.create(record);
      if (hasSecrets) {
        host.writeSecrets(record, request.secrets);
      }
      return this.#add(record, image);
    } catch (error) {
      image.release();
      if (slot !== undefined) {
        slots.release(slot);
        await host.removeLeftovers(spec.id);
      }
      throw error;
    }
  }

  #add(record: InstanceRecord, image: ImageLease | undefined): InstanceSupervisor {
    const { observer } = this.#parts;
    const supervisor = new InstanceSupervisor(record, {
      ...this.#parts,
      observer: {
        ...observer,
        changed: (instance) => {
          observer.changed(instance);
          this.#watch.publish('changed', instance);
        },
        deleted: (instance) => {
          this.#supervisors.delete(instance.spec.id);
          this.#parts.slots.release(record.slot);
          this.#leases.get(record.spec.id)?.release();
          this.#leases.delete(record.spec.id);
          observer.deleted(instance);
          this.#watch.publish('deleted', instance);
        },
      },
    });
    this.#supervisors.set(record.spec.id, supervisor);
    if (image !== undefined) {
      this.#leases.set(record.spec.id, image);
    }
    return supervisor;
  }

  #adoptRecord(record: InstanceRecord): boolean {
    const { slots, images, observer } = this.#parts;
    const { spec, slot, imageDigest } = record;
    if (!slots.reserve(slot)) {
      observer.trouble(
        `instance ${spec.id} is removed: its address is outside of the configured network or taken`,
        undefined,
      );
      return false;
    }
    const supervisor = this.#add(record, images.hold(imageDigest));
    if (this.#leases.get(spec.id) === undefined) {
      observer.trouble(`the image ${imageDigest} of instance ${spec.id} is gone; it is brought again`, undefined);
      void this.#regainImage(supervisor);
    }
    return true;
  }

  /** Until it is there again the instance cannot be restarted; its back-off tries that again and again. */
  async #regainImage(supervisor: InstanceSupervisor): Promise<void> {
    const { spec, imageDigest } = supervisor.record;
    try {
      const image = await this.#parts.images.acquire(spec.image);
      if (image.digest === imageDigest && this.#supervisors.get(spec.id) === supervisor) {
        this.#leases.set(spec.id, image);
      } else {
        image.release();
      }
    } catch (cause) {
      this.#parts.observer.trouble(`the image of instance ${spec.id} cannot be brought`, cause);
    }
  }

  async #kill(processes: readonly ProcessId[]): Promise<void> {
    await Promise.all(
      processes.map(async (id) => {
        const process = this.#parts.host.attach(id);
        process?.signal(SIGKILL);
        await process?.wait();
        process?.close();
      }),
    );
  }

  #find(id: string): InstanceSupervisor {
    const supervisor = this.#supervisors.get(id);
    if (supervisor === undefined) {
      throw new JunctiondError('not_found', `there is no instance ${JSON.stringify(id.slice(0, 100))}`);
    }
    return supervisor;
  }

  #all(): Instance[] {
    return [...this.#supervisors.values()].map(({ instance }) => instance);
  }
}

function refuse(faults: readonly SpecFault[]): void {
  if (faults.length > 0) {
    const text = faults.map(({ field, message }) => `${field}: ${message}`).join('; ');
    throw new JunctiondError('invalid_argument', text);
  }
}

/** An instance has one user: its processes could not become another. */
function otherUserFaults(user: string, { spec, guest }: InstanceRecord): SpecFault[] {
  const own = ['', spec.uproc.user, `${guest.uid}`, `${guest.uid}:${guest.gid}`];
  return own.includes(user)
    ? []
    : [{ field: 'uproc.user', message: `must be the instance's own, ${guest.uid}:${guest.gid}` }];
}
