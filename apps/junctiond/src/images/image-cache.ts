// SPDX-License-Identifier: Apache-2.0
// The image cache on disk. An image appears in it by one rename and leaves it by one, so that a crash at any moment leaves
// whole images and folders under tmp/, which the next start removes.
//
//   <imagesDir>/blobs/sha256/<hex>    blobs shared by all images
//   <imagesDir>/tmp/<random>/         images being brought or removed
//   <imagesDir>/unpacked/<hex>/       one image: rootfs/, layout/ (its blobs folder is a link), image.json, durable,
//                                     plans-<stamp>/ (patch plans for its programs)
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { RunCommand } from '../command.js';
import { errorCode } from '../junctiond.error.js';
import { formatImageRecord, type ImageRecord, parseImageRecord } from './image-record.js';

/** A folder in which an image is put together. */
export interface ImageScratch {
  readonly dir: string;
  /** For skopeo: exists, its blobs are the cache's. */
  readonly layoutDir: string;
  /** For umoci: does not exist yet. */
  readonly rootfsDir: string;
  /** For junction_plan: does not exist yet. */
  plansDir(stamp: string): string;
}

export interface CachedImage {
  readonly record: ImageRecord;
  readonly lastUsedAtMs: number;
}

/** Reading what an image takes on disk may not hold up its use for long. */
const MEASURE_TIMEOUT_MS = 60_000;
const RECORD_FILE = 'image.json';
/** Exists once the image's files are known to be on the disk. */
const DURABLE_FILE = 'durable';

export class ImageCache {
  readonly #dir: string;
  readonly #run: RunCommand;
  readonly #bootId: string;

  constructor(dir: string, bootId: string, run: RunCommand) {
    this.#dir = dir;
    this.#bootId = bootId;
    this.#run = run;
  }

  /** Where the blobs of all images are. */
  get blobsDir(): string {
    return join(this.#dir, 'blobs', 'sha256');
  }

  get tmpDir(): string {
    return join(this.#dir, 'tmp');
  }

  /** The unpacked root of an image. */
  rootfsDir(digest: string): string {
    return join(this.#imageDir(digest), 'rootfs');
  }

  /** The patch plans of an image, made by the junction_plan of that stamp; undefined when there are none. */
  async findPlans(digest: string, stamp: string): Promise<string | undefined> {
    const dir = join(this.#imageDir(digest), plansName(stamp));
    return (await exists(dir)) ? dir : undefined;
  }

  /** Adds plans to an image that is in its place; `make` fills a folder that does not exist yet. */
  async addPlans(digest: string, stamp: string, make: (outDir: string) => Promise<void>): Promise<string> {
    const scratch = await this.newScratch();
    try {
      await make(scratch.plansDir(stamp));
      const dir = join(this.#imageDir(digest), plansName(stamp));
      await rename(scratch.plansDir(stamp), dir);
      return dir;
    } finally {
      await this.dropScratch(scratch);
    }
  }

  /** Removes what an earlier process left half done and answers the images that are whole. */
  async open(): Promise<CachedImage[]> {
    await rm(this.tmpDir, { recursive: true, force: true });
    await mkdir(this.blobsDir, { recursive: true, mode: 0o700 });
    await mkdir(this.tmpDir, { mode: 0o700 });
    const unpacked = join(this.#dir, 'unpacked');
    await mkdir(unpacked, { recursive: true, mode: 0o700 });
    const images: CachedImage[] = [];
    for (const name of await readdir(unpacked)) {
      const image = await this.#load(join(unpacked, name), `sha256:${name}`);
      if (image === undefined) {
        await this.#discardDir(join(unpacked, name));
      } else {
        images.push(image);
      }
    }
    return images;
  }

  async newScratch(): Promise<ImageScratch> {
    const dir = join(this.tmpDir, randomBytes(8).toString('hex'));
    const layoutDir = join(dir, 'layout');
    await mkdir(layoutDir, { recursive: true, mode: 0o700 });
    // As deep as it will be in unpacked/<hex>/layout.
    await symlink('../../../blobs', join(layoutDir, 'blobs'));
    return { dir, layoutDir, rootfsDir: join(dir, 'rootfs'), plansDir: (stamp) => join(dir, plansName(stamp)) };
  }

  /** Puts a finished image in its place. What is there already, stays and wins. */
  async publish(scratch: ImageScratch, record: Omit<ImageRecord, 'sizeBytes' | 'bootId'>): Promise<ImageRecord> {
    const whole = { ...record, sizeBytes: await this.#sizeOf(scratch.rootfsDir), bootId: this.#bootId };
    await writeFile(join(scratch.dir, RECORD_FILE), formatImageRecord(whole), { mode: 0o600 });
    try {
      await rename(scratch.dir, this.#imageDir(record.digest));
    } catch (error) {
      if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') {
        throw error;
      }
      await this.dropScratch(scratch);
    }
    return whole;
  }

  /**
   * Brings an image's files to the disk, then marks it. Slow (it waits for all that the file system has to write), so nobody
   * should wait for it: until the mark is there, an image is only dropped by a start after a power cut.
   */
  async makeDurable(digest: string): Promise<void> {
    const dir = this.#imageDir(digest);
    const result = await this.#run({ file: 'sync', args: ['--file-system', dir], env: HELPER_ENV, timeoutMs: 600_000 });
    if (result.exitCode === 0) {
      await writeFile(join(dir, DURABLE_FILE), '', { mode: 0o600 });
    }
  }

  async dropScratch(scratch: ImageScratch): Promise<void> {
    await rm(scratch.dir, { recursive: true, force: true });
  }

  /** Remembers the time of use in the record's time of change. */
  async touch(digest: string, nowMs: number): Promise<void> {
    await utimes(join(this.#imageDir(digest), RECORD_FILE), nowMs / 1000, nowMs / 1000);
  }

  /** Takes an image out of the cache. Its blobs stay until `sweepBlobs`. */
  async discard(digest: string): Promise<void> {
    await this.#discardDir(this.#imageDir(digest));
  }

  /** Removes all blobs but the ones named and answers their bytes. Nothing may be brought meanwhile. */
  async sweepBlobs(kept: ReadonlySet<string>): Promise<number> {
    let freed_bytes = 0;
    for (const name of await readdir(this.blobsDir)) {
      if (!kept.has(`sha256:${name}`)) {
        const file = join(this.blobsDir, name);
        freed_bytes += (await stat(file)).size;
        await rm(file, { force: true });
      }
    }
    return freed_bytes;
  }

  async #load(dir: string, digest: string): Promise<CachedImage | undefined> {
    try {
      const file = join(dir, RECORD_FILE);
      const record = parseImageRecord(await readFile(file, 'utf8'));
      const isWhole =
        record?.digest === digest && (record.bootId === this.#bootId || (await exists(join(dir, DURABLE_FILE))));
      return record !== undefined && isWhole ? { record, lastUsedAtMs: (await stat(file)).mtimeMs } : undefined;
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
        return undefined;
      }
      throw error;
    }
  }

  async #discardDir(dir: string): Promise<void> {
    const trash = join(this.tmpDir, randomBytes(8).toString('hex'));
    try {
      await rename(dir, trash);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') {
        return;
      }
      throw error;
    }
    await rm(trash, { recursive: true, force: true });
  }

  /** Bytes on disk, by du(1): it is many times quicker than a walk from here. 0 when it cannot tell. */
  async #sizeOf(dir: string): Promise<number> {
    const result = await this.#run({
      file: 'du',
      args: ['--summarize', '--block-size=1', dir],
      env: HELPER_ENV,
      timeoutMs: MEASURE_TIMEOUT_MS,
    });
    const size_bytes = Number(result.stdout.toString('utf8').split('\t')[0]);
    return Number.isSafeInteger(size_bytes) ? size_bytes : 0;
  }

  #imageDir(digest: string): string {
    return join(this.#dir, 'unpacked', digest.slice('sha256:'.length));
  }
}

function plansName(stamp: string): string {
  return `plans-${stamp}`;
}

const HELPER_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
