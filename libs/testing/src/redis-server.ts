// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface RedisServerOptions {
  /** Asks clients for this password. */
  password?: string;
  /** Keeps data over `kill` and `start`, as the stack's own Redis does. */
  appendOnly?: boolean;
}

/** A real redis-server of a test's own, on a unix socket in a temporary folder. */
export class RedisServer {
  readonly #dir = mkdtempSync(join(tmpdir(), 'redis-'));
  readonly #options: RedisServerOptions;
  #process: ChildProcess | undefined;

  private constructor(options: RedisServerOptions) {
    this.#options = options;
  }

  /** Starts a server and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options);
    await server.start();
    return server;
  }

  get socketPath(): string {
    return join(this.#dir, 'redis.sock');
  }

  get url(): string {
    return `unix:${this.socketPath}`;
  }

  /** Starts it again after `kill`. */
  async start(): Promise<void> {
    const { password, appendOnly = false } = this.#options;
    const child = spawn(
      'redis-server',
      [
        ...['--port', '0', '--unixsocket', this.socketPath, '--unixsocketperm', '600', '--dir', this.#dir],
        ...['--save', '', '--appendonly', appendOnly ? 'yes' : 'no', '--loglevel', 'warning'],
        ...(password === undefined ? [] : ['--requirepass', password]),
      ],
      { stdio: 'ignore' },
    );
    this.#process = child;
    await once(child, 'spawn');
    while (!(await this.#answers())) {
      if (child.exitCode !== null) {
        throw new Error(`redis-server ended with ${child.exitCode} before it listened`);
      }
      await delay(5);
    }
  }

  /** SIGKILL; waits until the process is gone. The folder stays, so that `start` finds an append-only file. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.socketPath, { force: true });
  }

  /** SIGSTOP: connections stay open and nothing is answered, as on a hung host. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Ends the server and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const auth = this.#options.password === undefined ? '' : `AUTH ${this.#options.password}\r\n`;
    return new Promise<boolean>((resolve) => {
      const socket = connect(this.socketPath);
      let text = '';
      socket.on('error', () => resolve(false));
      socket.on('close', () => resolve(text.includes('PONG')));
      socket.on('data', (chunk) => {
        text += chunk.toString();
        socket.end();
      });
      socket.write(`${auth}PING\r\n`);
    });
  }
}
