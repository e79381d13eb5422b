// SPDX-License-Identifier: Apache-2.0
// Further programs in running instances: starts a junction_run for each and waits for what it reports. That process is the program's
// monitor and lives on without us; nothing is kept of it, since the instance's log has its output and its end.
import type { Clock } from '../clock.js';
import { JunctiondError } from '../junctiond.error.js';
import type { HostProcess, InstanceHost } from './instance-host.js';
import type { GuestProcess, InstanceRecord } from './instance-record.js';
import type { UprocEvent } from './notify-event.js';

export interface UprocAdderParts {
  readonly host: Pick<InstanceHost, 'launchUproc'>;
  readonly clock: Clock;
}

/** signal(7). */
const SIGKILL = 9;
/** A junction_run that failed before there was a program. */
const MONITOR_FAILED = 125;
/** The program cannot be run, or not in that folder; it is not there. As shells have it. */
const PROGRAM_FAULTS: readonly number[] = [126, 127];
/** An end may be seen before the report that was sent before it. */
const REPORT_GRACE_MS = 2000;

type Report = UprocEvent | 'ended' | 'aborted';

export class UprocAdder {
  readonly #parts: UprocAdderParts;
  /** Who waits for the first report of a junction_run, by its pid. */
  readonly #waiting = new Map<number, (report: Report) => void>();
  readonly #processes = new Set<HostProcess>();

  constructor(parts: UprocAdderParts) {
    this.#parts = parts;
  }

  /**
   * Answers the host pid of the program once it runs. Nothing is left of it when this throws: invalid_argument (the program is not there or
   * cannot be run), failed_precondition (the instance takes none now), deadline_exceeded (`signal`).
   */
  async add(record: InstanceRecord, guest: GuestProcess, signal: AbortSignal): Promise<number> {
    if (signal.aborted) {
      throw timeout(record);
    }
    const launch = this.#parts.host.launchUproc(record, guest);
    const { process } = launch;
    this.#hold(process);
    const report = await this.#firstReport(process, signal);
    launch.started();
    if (report === 'aborted') {
      process.signal(SIGKILL); // the program dies with it
      throw timeout(record);
    }
    if (report !== 'ended' && report.kind === 'uprocStarted') {
      return report.pid;
    }
    const { exitCode = MONITOR_FAILED, error = 'junction_run ended without a report' } =
      report === 'ended' ? {} : report;
    throw new JunctiondError(
      PROGRAM_FAULTS.includes(exitCode) ? 'invalid_argument' : 'failed_precondition',
      `no further uProc in instance ${record.spec.id}: ${error}`,
    );
  }

  notify(event: UprocEvent): void {
    this.#waiting.get(event.monitorPid)?.(event);
  }

  /** Lets go of all; they go on. */
  detach(): void {
    this.#processes.forEach((process) => {
      process.close();
    });
    this.#processes.clear();
  }

  #hold(process: HostProcess): void {
    this.#processes.add(process);
    void process.wait().then(() => {
      this.#processes.delete(process);
      process.close();
      this.#parts.clock.after(REPORT_GRACE_MS, () => this.#waiting.get(process.pid)?.('ended'));
    });
  }

  #firstReport(process: HostProcess, signal: AbortSignal): Promise<Report> {
    return new Promise((resolve) => {
      const settle = (report: Report): void => {
        this.#waiting.delete(process.pid);
        signal.removeEventListener('abort', abort);
        resolve(report);
      };
      const abort = (): void => {
        settle('aborted');
      };
      this.#waiting.set(process.pid, settle);
      signal.addEventListener('abort', abort);
    });
  }
}

function timeout({ spec }: InstanceRecord): JunctiondError {
  return new JunctiondError('deadline_exceeded', `no further uProc in instance ${spec.id}: not started in time`);
}
