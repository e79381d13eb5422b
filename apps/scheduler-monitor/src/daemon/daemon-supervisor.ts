// SPDX-License-Identifier: Apache-2.0
// Keeps one scheduler daemon running. A daemon that outlived a killed monitor is adopted: restarting it for nothing would let
// idle states go under load.
import type { DaemonStats } from './daemon-stats.js';

/** A daemon's process, ours or adopted. */
export interface DaemonProcess {
  readonly pid: number;
  /** Settles with how it ended, for people. */
  wait(): Promise<string>;
  /** Asks it to end. */
  terminate(): void;
  close(): void;
}

/** What the supervisor needs of the host. */
export interface DaemonHost {
  /** The running daemon's stats; rejects when none answers. */
  stats(): Promise<DaemonStats>;
  /** Starts a daemon; throws when it cannot be started. */
  spawn(): DaemonProcess;
  /** The process of an answering daemon; undefined when it has gone meanwhile. */
  adopt(pid: number): DaemonProcess | undefined;
  /** The wait before start number `attempt` in a row. */
  restartDelayMs(attempt: number): number;
  /** Resolves after the time, or at once when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  now(): number;
  log(level: 'info' | 'warn', message: string, details?: Record<string, unknown>): void;
}

/** A daemon that ran this long before it ended is started again at once. Chosen: longer than any start that fails. */
const STABLE_MS = 10_000;

export class DaemonSupervisor {
  readonly #host: DaemonHost;
  readonly #stopping = new AbortController();
  #process: DaemonProcess | undefined;
  #restarts = 0;
  #running: Promise<void> | undefined;

  constructor(host: DaemonHost) {
    this.#host = host;
  }

  /** Starts after the first one. */
  get restarts(): number {
    return this.#restarts;
  }

  /** 0 while none runs. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends the daemon and waits for that. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#process?.terminate();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failuresInARow = 0;
    let start = (await this.#adoptRunning()) ?? (() => this.#spawn());
    for (;;) {
      const startedAt = this.#host.now();
      await this.#runOnce(start);
      if (signal.aborted) {
        return;
      }
      failuresInARow = this.#host.now() - startedAt >= STABLE_MS ? 0 : failuresInARow + 1;
      const delayMs = failuresInARow === 0 ? 0 : this.#host.restartDelayMs(failuresInARow - 1);
      await this.#host.sleep(delayMs, signal);
      this.#restarts += 1;
      start = () => this.#spawn();
    }
  }

  async #runOnce(start: () => DaemonProcess): Promise<void> {
    const { signal } = this.#stopping;
    try {
      this.#process = start();
      if (signal.aborted) {
        this.#process.terminate();
      }
      const ending = await this.#process.wait();
      this.#host.log(signal.aborted ? 'info' : 'warn', 'the scheduler daemon ended', { ending });
    } catch (error) {
      this.#host.log('warn', 'the scheduler daemon cannot be started', { error });
    } finally {
      this.#process?.close();
      this.#process = undefined;
    }
  }

  async #adoptRunning(): Promise<(() => DaemonProcess) | undefined> {
    const stats = await this.#host.stats().catch(() => undefined);
    const running = stats === undefined ? undefined : this.#host.adopt(stats.pid);
    if (running === undefined) {
      return undefined;
    }
    this.#host.log('info', 'adopted a running scheduler daemon', { daemonPid: running.pid });
    return () => running;
  }

  #spawn(): DaemonProcess {
    const started = this.#host.spawn();
    this.#host.log('info', 'started the scheduler daemon', { daemonPid: started.pid });
    return started;
  }
}
