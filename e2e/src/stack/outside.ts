// SPDX-License-Identifier: Apache-2.0
// A machine "outside": a network namespace behind a veth pair, with a server that says who it hears from. CI has no other outside.
import { until } from '@junctiond/testing';
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** Takes connections on any address, and prints the address that each comes from. */
const server = `
  require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    console.log(socket.remoteAddress);
    socket.end('hello from outside');
  }).listen(7000, '::', () => console.log('listening'));
`;

export class Outside {
  /** The host's end of the wire: an address of the host like any other. */
  readonly hostAddress: string;
  readonly address: string;
  readonly port = 7000;
  readonly #device: string;
  readonly #folder: string;
  readonly #heard: string[] = [];
  #process: ChildProcessByStdio<null, Readable, null> | undefined;

  private constructor() {
    // 198.18.0.0/15 is for tests of networks (RFC 2544, RFC 6890); another /30 for each process.
    const net = `198.${18 + (process.pid % 2)}.${(process.pid >> 1) % 256}`;
    const last = ((process.pid >> 9) % 63) * 4;
    this.hostAddress = `${net}.${last + 1}`;
    this.address = `${net}.${last + 2}`;
    this.#device = `e2e${process.pid}`;
    this.#folder = mkdtempSync('/dev/shm/e2e-outside-');
  }

  static async open(): Promise<Outside> {
    const outside = new Outside();
    try {
      await outside.#open();
    } catch (error) {
      await outside.close();
      throw error;
    }
    return outside;
  }

  /** Where each connection came from. */
  get heard(): readonly string[] {
    return this.#heard;
  }

  async close(): Promise<void> {
    const child = this.#process;
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    // The namespace goes with its mount, and the wire with it.
    for (const [command, ...args] of [
      ['ip', 'link', 'delete', this.#device],
      ['umount', this.#namespace],
    ] as const) {
      try {
        execFileSync(command, args, { stdio: 'ignore' });
      } catch {
        // It was not made.
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #namespace(): string {
    return join(this.#folder, 'net');
  }

  async #open(): Promise<void> {
    const run = (command: string, ...args: string[]): void => {
      execFileSync(command, args, { stdio: 'pipe' });
    };
    const inside = (...args: string[]): void => run('nsenter', `--net=${this.#namespace}`, ...args);
    writeFileSync(this.#namespace, '');
    run('unshare', `--net=${this.#namespace}`, 'true');
    const far = `${this.#device}f`;
    run('ip', 'link', 'add', this.#device, 'type', 'veth', 'peer', 'name', far);
    run('ip', 'link', 'set', far, 'netns', this.#namespace);
    run('ip', 'address', 'add', `${this.hostAddress}/30`, 'dev', this.#device);
    run('ip', 'link', 'set', this.#device, 'up');
    inside('ip', 'address', 'add', `${this.address}/30`, 'dev', far);
    inside('ip', 'link', 'set', far, 'up');
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const child = spawn('nsenter', [`--net=${this.#namespace}`, process.execPath, '-e', server], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    let text = '';
    let isListening = false;
    child.stdout.on('data', (data: Buffer) => {
      const lines = (text + data.toString()).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'listening') isListening = true;
        else this.#heard.push(line.replace('::ffff:', ''));
      }
    });
    await until('the server outside', () => isListening);
  }
}
