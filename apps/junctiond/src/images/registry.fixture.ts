// SPDX-License-Identifier: Apache-2.0
// Debian's docker-registry on a loopback port of its own.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const REGISTRY_USER = 'puller';
export const REGISTRY_PASSWORD = 'hush-hush';
/** bcrypt of REGISTRY_PASSWORD with the lowest cost. */
const HTPASSWD = `${REGISTRY_USER}:$2b$04$bHiEXHJPijra8Gs9MPvPFu.lr0YH6zK/qhoLSlI3OBGe64KcRM19u\n`;

export class TestRegistry {
  readonly host: string;
  readonly #process: ChildProcess;

  private constructor(host: string, process: ChildProcess) {
    this.host = host;
    this.#process = process;
  }

  /** Resolves when the registry answers; it speaks plain HTTP. */
  static async start(folder: string, options: { isPrivate: boolean }): Promise<TestRegistry> {
    await mkdir(folder, { recursive: true });
    const port = await freePort();
    await writeFile(join(folder, 'htpasswd'), HTPASSWD);
    const config = {
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${port}` },
      ...(options.isPrivate ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } } : {}),
    };
    // JSON is YAML.
    await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
    const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
    const registry = new TestRegistry(`127.0.0.1:${port}`, child);
    const ended = new Promise<never>((_, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => {
        reject(new Error(`docker-registry ended with ${code}`));
      });
    });
    await Promise.race([registry.#answers(), ended]);
    ended.catch(() => undefined);
    return registry;
  }

  /** Puts an image of a layout into the registry. */
  async push(source: string, name: string): Promise<void> {
    const credentials = `${REGISTRY_USER}:${REGISTRY_PASSWORD}`;
    const flags = ['--quiet', '--insecure-policy', '--dest-tls-verify=false', `--dest-creds=${credentials}`];
    await run('skopeo', ['copy', ...flags, source, `docker://${this.host}/${name}`]);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGKILL');
      await ended;
    }
  }

  async #answers(): Promise<void> {
    for (;;) {
      const answer = await fetch(`http://${this.host}/v2/`).catch(() => undefined);
      if (answer !== undefined) {
        await answer.text();
        return;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') {
    throw new Error('no port');
  }
  return address.port;
}
