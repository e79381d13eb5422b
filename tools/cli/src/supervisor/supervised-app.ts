// SPDX-License-Identifier: Apache-2.0
import { backOffMs, settledAfterMs } from '../process/back-off.ts';
import type { AppSpec, AppState, AppStatus } from './app-spec.ts';

/** Status 78 (EX_CONFIG): a restart would not help. */
const configFault = 78;

/** What a started program tells its supervisor. */
export interface Child {
  readonly pid: number;
  /** Settles once, when it has ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  kill(signal: NodeJS.Signals): void;
}

/** The supervisor's world, so that tests can replace it. */
export interface Host {
  start(spec: AppSpec): Child;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Runs `work` later; answers how to call it off. */
  later(ms: number, work: () => void): () => void;
  /** The pid of the app changed (0: it does not run). */
  recordPid(name: string, pid: number): void;
}

/** Keeps one program running. */
export class SupervisedApp {
  private readonly host: Host;
  private specNow: AppSpec;
  private state: AppState = 'stopped';
  private child: Child | undefined;
  private callOffRestart: (() => void) | undefined;
  private restarts = 0;
  private restartsInARow = 0;
  private lastExit = '';

  constructor(spec: AppSpec, host: Host) {
    this.specNow = spec;
    this.host = host;
  }

  get spec(): AppSpec {
    return this.specNow;
  }

  status(): AppStatus {
    const { name, build } = this.specNow;
    return {
      name,
      state: this.state,
      pid: this.child?.pid ?? 0,
      restarts: this.restarts,
      lastExit: this.lastExit,
      build,
    };
  }

  /** Starts it unless it runs. */
  start(): void {
    this.callOffRestart?.();
    this.callOffRestart = undefined;
    if (this.child !== undefined) return;
    const startedAt = this.host.now();
    const child = this.host.start(this.specNow);
    this.child = child;
    this.state = 'running';
    this.host.recordPid(this.specNow.name, child.pid);
    void child.ended.then(({ code, signal }) => this.onEnd(startedAt, code, signal));
  }

  /** Ends it and waits until it is gone: SIGTERM, SIGKILL when its time is over. */
  async stop(): Promise<void> {
    this.callOffRestart?.();
    this.callOffRestart = undefined;
    this.state = 'stopped';
    const child = this.child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const callOffKill = this.host.later(this.specNow.stopTimeoutMs, () => child.kill('SIGKILL'));
    await child.ended;
    callOffKill();
  }

  /** Goes on with another spec. */
  async replace(spec: AppSpec): Promise<void> {
    await this.stop();
    this.specNow = spec;
    this.restartsInARow = 0;
    this.start();
  }

  private onEnd(startedAt: number, code: number | null, signal: string | null): void {
    this.child = undefined;
    this.host.recordPid(this.specNow.name, 0);
    this.lastExit = signal ?? `status ${code ?? 'unknown'}`;
    if (this.state === 'stopped') return;
    if (code === configFault) {
      this.state = 'failed';
      return;
    }
    if (this.host.now() - startedAt >= settledAfterMs) this.restartsInARow = 0;
    this.restartsInARow += 1;
    this.restarts += 1;
    this.state = 'backing-off';
    this.callOffRestart = this.host.later(backOffMs(this.restartsInARow), () => this.start());
  }
}
