// SPDX-License-Identifier: Apache-2.0
import { loadAddon, type NativeProcessHandle } from './addon.js';
import { native, NativeError } from './native-error.js';

/** How a process ended: one of the two is set. Both undefined: it was not our child, so Linux does not tell. */
export interface ProcessExit {
  exitCode?: number;
  signal?: number;
}

/** What to start. Nothing is inherited but what is named here. */
export interface SpawnOptions {
  /** Path of the program; PATH is not searched. */
  file: string;
  /** Without argv[0], which is `file`. */
  args: readonly string[];
  /** The whole environment. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** Opened for append, made with mode 0600 where missing; absent = /dev/null. */
  stdoutFile?: string;
  stderrFile?: string;
}

/**
 * A process held by its pidfd: it cannot be mistaken for a later process with the same pid. Need not be a child.
 * (pidfd_open(2), pidfd_send_signal(2))
 */
export class ProcessHandle {
  readonly #native: NativeProcessHandle;
  readonly #exited: Promise<ProcessExit>;

  private constructor(handle: NativeProcessHandle, exited: Promise<ProcessExit>) {
    this.#native = handle;
    this.#exited = exited;
  }

  /**
   * Undefined when there is no such process, or, where `startTimeTicks` (field 22 of /proc/PID/stat) is given, when that
   * pid is another process by now.
   */
  static open(pid: number, startTimeTicks?: bigint): ProcessHandle | undefined {
    checkPid(pid);
    const addon = loadAddon();
    const handle = native(() => addon.openProcess(pid, startTimeTicks ?? 0n));
    return handle === undefined ? undefined : ProcessHandle.#wrap(handle);
  }

  /**
   * Starts a program in a session of its own, without the cost of a fork of this process (CLONE_VM | CLONE_VFORK |
   * CLONE_PIDFD); all descriptors but 0 to 2 closed, signal mask and handlers reset. Throws NativeError with the errno
   * of what failed, execve included. It outlives this process; while this process lives it is reaped by `wait`'s machinery.
   */
  static spawnDetached(options: SpawnOptions): ProcessHandle {
    for (const text of [options.file, ...options.args, ...Object.keys(options.env), ...Object.values(options.env)]) {
      if (text.includes('\0')) {
        throw new NativeError('ERR_NATIVE_OPTION', 'file, args and env must not contain NUL');
      }
    }
    const addon = loadAddon();
    return ProcessHandle.#wrap(
      native(() =>
        addon.spawnDetached({
          file: options.file,
          argv: [options.file, ...options.args],
          env: Object.entries(options.env).map(([name, value]) => `${name}=${value}`),
          cwd: options.cwd ?? '',
          stdoutFile: options.stdoutFile ?? '',
          stderrFile: options.stderrFile ?? '',
        }),
      ),
    );
  }

  static #wrap(handle: NativeProcessHandle): ProcessHandle {
    return new ProcessHandle(handle, handle.exited());
  }

  get pid(): number {
    return this.#native.pid;
  }

  /** Field 22 of /proc/PID/stat: with the pid it names a process for ever. */
  get startTimeTicks(): bigint {
    return this.#native.startTimeTicks;
  }

  /** Settles when the process has ended, at once when it has already. Does not keep this process alive. */
  wait(): Promise<ProcessExit> {
    return this.#exited;
  }

  /** False when the process is gone. Throws NativeError (`EPERM`, `EINVAL`). */
  signal(signal: number): boolean {
    return native(() => this.#native.signal(signal));
  }

  /** Gives up the pidfd. A pending `wait` then never settles. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Waits for the end of a process that need not be a child; settles at once when it is gone or is another one by now. */
export async function waitPidfd(pid: number, startTimeTicks?: bigint): Promise<void> {
  const handle = ProcessHandle.open(pid, startTimeTicks);
  if (handle !== undefined) {
    try {
      await handle.wait();
    } finally {
      handle.close();
    }
  }
}

function checkPid(pid: number): void {
  if (!Number.isInteger(pid) || pid < 1 || pid > 0x7fff_ffff) {
    throw new NativeError('ERR_NATIVE_OPTION', `pid must be positive, not ${pid}`);
  }
}
