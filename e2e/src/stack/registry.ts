// SPDX-License-Identifier: Apache-2.0
import { freePort, until } from '@junctiond/testing';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RegistryUser {
  readonly name: string;
  readonly password: string;
}

/** Debian's docker-registry on the loopback device, without TLS. */
export class Registry {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #user: RegistryUser | undefined;

  private constructor(port: number, folder: string, process: ChildProcess, user: RegistryUser | undefined) {
    this.port = port;
    this.#folder = folder;
    this.#process = process;
    this.#user = user;
  }

  /** With a user, nothing can be pushed or pulled without its password. */
  static async start(user?: RegistryUser): Promise<Registry> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'registry-'));
    const configFile = join(folder, 'config.yml');
    writeFileSync(configFile, JSON.stringify(configOf(port, folder, user)));
    const child = spawn('docker-registry', ['serve', configFile], { stdio: 'ignore' });
    const registry = new Registry(port, folder, child, user);
    await until('the registry to listen', () => canConnect(port));
    return registry;
  }

  /** The address in image references. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Pushes an image (any name that skopeo knows) and returns the reference to deploy. */
  push(image: string, name: string): string {
    const reference = `${this.address}/${name}`;
    const login = this.#user === undefined ? [] : ['--dest-creds', `${this.#user.name}:${this.#user.password}`];
    const args = ['copy', '--quiet', '--dest-tls-verify=false', ...login, image, `docker://${reference}`];
    const result = spawnSync('skopeo', args, { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`skopeo copy failed: ${result.stderr}`);
    return reference;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    rmSync(this.#folder, { recursive: true });
  }
}

function configOf(port: number, folder: string, user: RegistryUser | undefined): object {
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: `127.0.0.1:${port}` },
  };
  if (user === undefined) return config;
  const htpasswd = join(folder, 'htpasswd');
  writeFileSync(htpasswd, `${user.name}:${bcrypt(user.password)}\n`);
  return { ...config, auth: { htpasswd: { realm: 'registry', path: htpasswd } } };
}

/** The registry takes bcrypt hashes only: those of libcrypt, which Debian's Python knows. */
function bcrypt(password: string): string {
  const script = 'import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))';
  const result = spawnSync('/usr/bin/python3', ['-W', 'ignore', '-c', script, password], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout.trim().replace(/^\$2b\$/, '$2y$');
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
