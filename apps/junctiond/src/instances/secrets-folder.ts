// SPDX-License-Identifier: Apache-2.0
// The secrets of instances. Two places, on purpose:
// - `<secretsOfDir>/<id>/` in memory (tmpfs), mounted into the instance: one file a secret, for the guest's user only;
// - `<instance folder>/secrets.json` on disk, mode 0600 in folders of root's: only so that an instance that is to run again
//   after a reboot has them. It is apart from spec.json, which people look at. Who can read it can read the provider's
//   store of the same secrets in the same state folder.
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

import { writeFileAtomicSync } from '../atomic-file.js';
import type { RunCommand } from '../command.js';
import { isRecord } from '../images/image-config.js';
import { errorCode, errorText, JunctiondError } from '../junctiond.error.js';

export type Secrets = Readonly<Record<string, Uint8Array>>;

/** Host ids of the guest's process. */
export interface SecretsOwner {
  readonly uid: number;
  readonly gid: number;
}

/** statfs(2): TMPFS_MAGIC, RAMFS_MAGIC. */
const MEMORY_FILE_SYSTEMS: readonly number[] = [0x01021994, 0x858458f6];
/** Chosen: a thousand instances with secrets of the greatest size rarely meet; the limit is there so that memory has one. */
const MEMORY_LIMIT = '1g';
/** Beside the folders of instances; no instance's id begins with a dot. */
const STAGING = '.staging';

export class SecretsFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Where an instance's secrets are, for its mount. */
  dirOf(id: string): string {
    return join(this.#root, id);
  }

  /**
   * Makes the root and sees that it is in memory; mounts a tmpfs there where it is not. Answers false when that is not
   * possible: secrets are then on disk, readable by root only.
   */
  async open(run: RunCommand): Promise<boolean> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    let isInMemory = MEMORY_FILE_SYSTEMS.includes((await statfs(this.#root)).type);
    if (!isInMemory) {
      const options = `mode=0700,nosuid,nodev,noexec,size=${MEMORY_LIMIT}`;
      const mount = await run({
        file: 'mount',
        args: ['-t', 'tmpfs', '-o', options, 'junctiond-secrets', this.#root],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
        timeoutMs: 10_000,
      });
      isInMemory = mount.exitCode === 0;
    }
    await rm(join(this.#root, STAGING), { recursive: true, force: true });
    await mkdir(join(this.#root, STAGING), { mode: 0o700 });
    return isInMemory;
  }

  /**
   * Makes the folder of an instance hold exactly `secrets`. A file is replaced by one rename, so that the guest sees the old
   * or the new content; the folder stays the same one, so that a running instance's mount shows the change.
   */
  write(id: string, secrets: Secrets, owner: SecretsOwner): void {
    const dir = this.dirOf(id);
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const staging = join(this.#root, STAGING, randomBytes(8).toString('hex'));
      for (const [name, content] of Object.entries(secrets)) {
        writeFileSync(staging, content, { mode: 0o400, flag: 'wx' });
        chownSync(staging, owner.uid, owner.gid);
        renameSync(staging, join(dir, name));
      }
      const stale = readdirSync(dir).filter((name) => !Object.hasOwn(secrets, name));
      stale.forEach((name) => rmSync(join(dir, name), { recursive: true }));
      chownSync(dir, owner.uid, owner.gid);
    } catch (cause) {
      throw new JunctiondError('internal', `the secrets of instance ${id} cannot be written: ${errorText(cause)}`, {
        cause,
      });
    }
  }

  /** True where the instance's folder is there; after a reboot none is. */
  has(id: string): boolean {
    return existsSync(this.dirOf(id));
  }

  async remove(id: string): Promise<void> {
    await rm(this.dirOf(id), { recursive: true, force: true });
  }

  /** The instances that have a folder. */
  async list(): Promise<string[]> {
    return (await readdir(this.#root)).filter((name) => name !== STAGING);
  }
}

/** Keeps secrets for a start after a reboot. */
export function saveSecrets(file: string, secrets: Secrets): void {
  const encoded = Object.entries(secrets).map(([name, content]) => [name, Buffer.from(content).toString('base64')]);
  writeFileAtomicSync(file, JSON.stringify(Object.fromEntries(encoded)), { mode: 0o600 });
}

/** Reads what `saveSecrets` kept; undefined when it is not there. */
export function loadSecrets(file: string): Secrets | undefined {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
  const entries = isRecord(document) ? Object.entries(document) : [];
  return Object.fromEntries(entries.map(([name, content]) => [name, Buffer.from(String(content), 'base64')]));
}
