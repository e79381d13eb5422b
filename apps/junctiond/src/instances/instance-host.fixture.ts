// SPDX-License-Identifier: Apache-2.0
import type { HostExit, HostProcess, InstanceHost, ListeningPort, UprocLaunch } from './instance-host.js';
import type { GuestProcess, InstanceRecord, ProcessId } from './instance-record.js';
import type { InstanceStatus } from './status-file.js';

/** A process that ends when a test says so. */
export class FakeProcess implements HostProcess {
  readonly signals: number[] = [];
  readonly startTimeTicks = 7n;
  isClosed = false;
  isGone = false;
  #end!: (exit: HostExit) => void;
  readonly #exited = new Promise<HostExit>((resolve) => {
    this.#end = resolve;
  });

  constructor(readonly pid: number) {}

  wait(): Promise<HostExit> {
    return this.#exited;
  }

  signal(signal: number): boolean {
    this.signals.push(signal);
    return !this.isGone;
  }

  close(): void {
    this.isClosed = true;
  }

  end(exit: HostExit): void {
    this.isGone = true;
    this.#end(exit);
  }
}

/** A host without processes: a test plays their part. */
export class FakeHost implements InstanceHost {
  readonly saved: InstanceRecord[] = [];
  readonly launched: FakeProcess[] = [];
  /** By pid: what can be attached to. */
  readonly processes = new Map<number, FakeProcess>();
  readonly calls: string[] = [];
  /** Further programs that were launched. */
  readonly uprocs: GuestProcess[] = [];
  statusNow: InstanceStatus | undefined;
  output: string[] = [];
  portsNow: ListeningPort[] = [];
  launchError: Error | undefined;
  prepareError: Error | undefined;
  removeError: Error | undefined;
  #nextPid = 100;

  save(record: InstanceRecord): Promise<void> {
    this.saved.push(record);
    return Promise.resolve();
  }

  prepare(record: InstanceRecord): void {
    this.calls.push(`prepare ${record.spec.id}`);
    if (this.prepareError !== undefined) throw this.prepareError;
    this.saved.push(record);
  }

  launch(record: InstanceRecord): HostProcess {
    this.calls.push(`launch ${record.spec.id}`);
    if (this.launchError !== undefined) throw this.launchError;
    const process = this.add();
    this.launched.push(process);
    return process;
  }

  launchUproc(record: InstanceRecord, guest: GuestProcess): UprocLaunch {
    this.calls.push(`uproc ${record.spec.id} ${guest.args.join(' ')}`);
    if (this.launchError !== undefined) throw this.launchError;
    this.uprocs.push(guest);
    const process = this.add();
    this.launched.push(process);
    return { process, started: () => this.calls.push('uproc started') };
  }

  attach(id: ProcessId): HostProcess | undefined {
    return this.processes.get(id.pid);
  }

  status(): Promise<InstanceStatus | undefined> {
    return Promise.resolve(this.statusNow);
  }

  lastOutput(): Promise<string[]> {
    return Promise.resolve(this.output);
  }

  ports(): ListeningPort[] {
    return this.portsNow;
  }

  applyCoreLimit(record: InstanceRecord): void {
    this.calls.push(`cores ${record.spec.coreLimit}`);
  }

  remove(record: InstanceRecord): Promise<void> {
    this.calls.push(`remove ${record.spec.id}`);
    return this.removeError === undefined ? Promise.resolve() : Promise.reject(this.removeError);
  }

  add(): FakeProcess {
    const process = new FakeProcess(this.#nextPid);
    this.#nextPid += 1;
    this.processes.set(process.pid, process);
    return process;
  }
}
