// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** What one request carries and what its answer must be; files, because the measuring client reads them once. */
export interface Payload {
  readonly bodyFile: string;
  readonly expectedFile: string;
}

/** How requests reach a server. */
export interface Route {
  readonly url: string;
  /** The instance's links.sock: the client's connections go over a link of its own in place of the host's TCP. */
  readonly linkPath?: string;
  /** How long the client polls its link before it sleeps. */
  readonly spinUs?: number;
  /** Pause between an answer and the next request. */
  readonly gapUs?: number;
}

export interface Throughput {
  readonly requests: number;
  readonly rate: number;
  readonly p50_ns: number;
  readonly p99_ns: number;
}

export interface FirstAnswer {
  /** From just before the start of the command. */
  readonly fromStartNs: number;
  /** From when junction_run asked for the guest's process: what its own start takes is not in it. Of a plain program the same. */
  readonly fromAskedNs: number;
}

/** Where the native build puts the measuring client of this checkout. */
export function loadBinary(root: string): string {
  return join(root, 'native/build/release/src/bench/junction_load');
}

/** Runs the measuring client (native/src/bench) and answers the JSON object that it prints. */
export class LoadClient {
  private readonly binary: string;
  private readonly payload: Payload;
  private readonly prefix: readonly string[];

  /** `prefix`: a command that runs another one, with its arguments. */
  constructor(binary: string, payload: Payload, prefix: readonly string[] = []) {
    this.binary = binary;
    this.payload = payload;
    this.prefix = prefix;
  }

  /** The same client, run by another command. */
  under(prefix: readonly string[]): LoadClient {
    return new LoadClient(this.binary, this.payload, prefix);
  }

  /** Nanoseconds of each of `count` requests, one after the other over one connection. */
  async sequential(to: string | Route, count: number, warmup: number): Promise<number[]> {
    const result = await this.run('sequential', [
      ...this.request(to),
      '--count',
      count.toString(),
      '--warmup',
      warmup.toString(),
    ]);
    return (result as { samples_ns: number[] }).samples_ns;
  }

  /** `warmupMs` 0: every answer counts. */
  async throughput(to: string | Route, connections: number, durationMs: number, warmupMs = 300): Promise<Throughput> {
    const result = await this.run('throughput', [
      ...this.request(to),
      '--connections',
      connections.toString(),
      '--duration-ms',
      durationMs.toString(),
      '--warmup-ms',
      warmupMs.toString(),
    ]);
    return result as Throughput;
  }

  /** Starts `command` and waits for its first right answer; the control file tells the port of an instance. */
  async firstAnswer(
    to: string | Route,
    command: readonly string[],
    more: { controlFile?: string; environment?: NodeJS.ProcessEnv } = {},
  ): Promise<FirstAnswer> {
    const control = more.controlFile === undefined ? [] : ['--control', more.controlFile];
    const result = await this.run('start', [...this.request(to), ...control, '--', ...command], more.environment);
    const { first_answer_ns, from_asked_ns } = result as { first_answer_ns: number; from_asked_ns: number };
    return { fromStartNs: first_answer_ns, fromAskedNs: from_asked_ns };
  }

  /** Gbit/s of `bytes` in one direction over one connection to a bulk_server. */
  async bulk(to: string | Route, bytes: number, direction: 'up' | 'down'): Promise<number> {
    const args = [...this.reach(to), '--bytes', bytes.toString(), ...(direction === 'down' ? ['--download'] : [])];
    return ((await this.run('bulk', args)) as { gbit_per_s: number }).gbit_per_s;
  }

  /** Nanoseconds of a cache line's round trip between the two cores. */
  async pingPong(): Promise<number> {
    return ((await this.run('ping-pong', [])) as { round_trip_ns: number }).round_trip_ns;
  }

  private request(to: string | Route): string[] {
    const gapUs = typeof to === 'string' ? undefined : to.gapUs;
    return [
      ...this.reach(to),
      ...['--body', this.payload.bodyFile, '--expect', this.payload.expectedFile],
      ...(gapUs === undefined ? [] : ['--gap-us', gapUs.toString()]),
    ];
  }

  private reach(to: string | Route): string[] {
    const route = typeof to === 'string' ? { url: to } : to;
    return [
      ...['--url', route.url],
      ...(route.linkPath === undefined ? [] : ['--link', route.linkPath]),
      ...(route.spinUs === undefined ? [] : ['--spin-us', route.spinUs.toString()]),
    ];
  }

  private async run(verb: string, args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<unknown> {
    const [program = this.binary, ...words] = [...this.prefix, this.binary, verb, ...args];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (code !== 0) {
      throw new Error(`the measuring client failed (${verb} ${args.join(' ')}): ${output.stderr.trim()}`);
    }
    return JSON.parse(output.stdout);
  }
}
