// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type FaasCli } from './faas-cli.js';
import { type Credentials } from './openfaas-api.js';

/** The faas-cli on PATH, where there is one. */
export function findFaasCli(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'faas-cli'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The real faas-cli. */
export class RealFaasCli implements FaasCli {
  readonly name = 'faas-cli';
  readonly #program: string;
  readonly #gatewayUrl: string;
  /** Keeps the login: not the user's own configuration. */
  readonly #home = mkdtempSync(join(tmpdir(), 'faas-cli-'));

  constructor(program: string, gatewayUrl: string) {
    this.#program = program;
    this.#gatewayUrl = gatewayUrl;
  }

  async login({ user, password }: Credentials): Promise<void> {
    this.#run(['login', '--username', user, '--password-stdin'], { input: password });
  }

  async deploy(stackFile: string, variables: Readonly<Record<string, string>>): Promise<void> {
    this.#run(['deploy', '-f', stackFile], { variables });
  }

  async list(): Promise<{ name: string; image: string }[]> {
    const rows = rowsBelow(this.#run(['list', '-v']).toString(), /^Function\s/);
    return rows.map((row) => {
      const [name = '', image = ''] = row.split(/\s+/);
      return { name, image: image.replace(/\.\.$/, '') }; // long ones are cut
    });
  }

  async describe(name: string): Promise<string> {
    return this.#run(['describe', name]).toString();
  }

  async ready(name: string): Promise<boolean> {
    try {
      this.#run(['ready', name, '--attempts', '1']);
      return true;
    } catch {
      return false;
    }
  }

  async invoke(
    name: string,
    body: Buffer,
    options: { query?: string; header?: string; method?: string } = {},
  ): Promise<Buffer> {
    return this.#run(
      [
        ...['invoke', name],
        ...(options.query === undefined ? [] : ['--query', options.query]),
        ...(options.header === undefined ? [] : ['--header', options.header]),
        ...(options.method === undefined ? [] : ['--method', options.method]),
      ],
      { input: body },
    );
  }

  async logs(name: string): Promise<string> {
    return this.#run(['logs', name, '--tail=false', '--since=5m']).toString();
  }

  async remove(name: string): Promise<void> {
    this.#run(['remove', name]);
  }

  async createSecret(name: string, value: string): Promise<void> {
    this.#run(['secret', 'create', name], { input: value });
  }

  async updateSecret(name: string, value: string): Promise<void> {
    this.#run(['secret', 'update', name], { input: value });
  }

  async listSecrets(): Promise<string[]> {
    return rowsBelow(this.#run(['secret', 'list']).toString(), /^NAME/);
  }

  async removeSecret(name: string): Promise<void> {
    this.#run(['secret', 'remove', name]);
  }

  async namespaces(): Promise<string[]> {
    const lines = this.#run(['namespaces']).toString().split('\n');
    return lines.filter((line) => line.startsWith(' - ')).map((line) => line.slice(3).trim());
  }

  #run(
    args: readonly string[],
    { input = '', variables = {} }: { input?: string | Buffer; variables?: Readonly<Record<string, string>> } = {},
  ): Buffer {
    const result = spawnSync(this.#program, args, {
      input,
      env: { PATH: '/usr/bin:/bin', HOME: this.#home, OPENFAAS_URL: this.#gatewayUrl, ...variables },
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    if (result.status === 0) return result.stdout;
    throw new Error(`faas-cli ${args.join(' ')} failed: ${result.stderr.toString()}${result.stdout.toString()}`);
  }
}

/** The rows of a table below the line with its headings; none where there is no table. */
function rowsBelow(text: string, heading: RegExp): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const at = lines.findIndex((line) => heading.test(line));
  return at < 0 ? [] : lines.slice(at + 1).filter((line) => line !== '');
}
