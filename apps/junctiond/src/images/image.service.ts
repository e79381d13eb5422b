// SPDX-License-Identifier: Apache-2.0
// The images of this node: brought once per digest however many ask at once, used by instances, removed when unused.
import { rm, stat } from 'node:fs/promises';

import { errorText, JunctiondError } from '../junctiond.error.js';
import type { ImageCache, ImageScratch } from './image-cache.js';
import { type ImageConfig, parseImageConfig } from './image-config.js';
import type { ImageIndex } from './image-index.js';
import type { ImageRecord } from './image-record.js';
import {
  type ArchiveReference,
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from './image-reference.js';
import { findInLayout, readBlob, readManifest } from './oci-layout.js';
import type { PatchPlanner } from './patch-planner.js';
import { LAYOUT_TAG, type Skopeo } from './skopeo.js';
import type { Umoci } from './umoci.js';

export interface ImageSummary {
  readonly reference: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly users: number;
  readonly lastUsedAtMs: number;
}

/** An image in use by one instance; it is not removed before `release`. */
export interface ImageLease {
  readonly digest: string;
  readonly rootfsDir: string;
  readonly config: ImageConfig;
  release(): void;
}

/** Told of each image that is brought, for metrics. */
export interface ImageObserver {
  imageBrought(result: 'ok' | 'failed', durationMs: number, compressedBytes: number): void;
  /** Work in the background that failed; the image still serves. */
  imageTrouble(message: string, cause: unknown): void;
}

export interface ImageServiceParts {
  readonly cache: ImageCache;
  readonly index: ImageIndex;
  readonly skopeo: Skopeo;
  readonly umoci: Umoci;
  readonly planner: Pick<PatchPlanner, 'stamp' | 'plan'>;
  readonly observer: ImageObserver;
  readonly now: () => number;
}

interface Entry {
  readonly record: ImageRecord;
  lastUsedAtMs: number;
  /** Patch plans for its programs, where they could be made. */
  plansDir?: string;
}

/** A folder that changes while it is copied is tried again this often. */
const MAX_SOURCE_CHANGES = 3;

export class ImageService {
  readonly #parts: ImageServiceParts;
  readonly #entries = new Map<string, Entry>();
  readonly #users = new Map<string, number>();
  /** Images being brought, by digest, or by reference while the digest is unknown. */
  readonly #flights = new Map<string, Promise<Entry>>();
  /** Images being removed: one that is wanted again waits. */
  readonly #removals = new Map<string, Promise<void>>();
  readonly #background = new Set<Promise<void>>();
  #plannerStamp: string | undefined;
  #sweep: Promise<unknown> = Promise.resolve();

  constructor(parts: ImageServiceParts) {
    this.#parts = parts;
  }

  /** Loads the cache; before anything else. */
  async open(): Promise<void> {
    const { cache, index, planner, observer } = this.#parts;
    await index.open();
    this.#plannerStamp = await planner.stamp();
    if (this.#plannerStamp === undefined) {
      observer.imageTrouble('instances start more slowly: there is no junction_plan', undefined);
    }
    for (const image of await cache.open()) {
      const entry = { ...image };
      this.#entries.set(image.record.digest, entry);
      this.#inBackground(`image ${image.record.digest} has no patch plans`, this.#refreshPlans(entry));
    }
  }

  /** Where an image's files are, for a start. One that is not here is named all the same: its start then fails. */
  dirsOf(digest: string): { readonly rootfsDir: string; readonly plansDir?: string } {
    const plansDir = this.#entries.get(digest)?.plansDir;
    return { rootfsDir: this.#parts.cache.rootfsDir(digest), ...(plansDir === undefined ? {} : { plansDir }) };
  }

  /** Settles when nothing of this service writes any more. */
  async close(): Promise<void> {
    while (this.#flights.size + this.#background.size > 0) {
      await Promise.allSettled([...this.#flights.values(), ...this.#background]);
    }
  }

  /**
   * Resolves a reference anew and makes its image ready. Throws invalid_argument (reference, archive or layers), not_found,
   * unavailable (registry), permission_denied (credentials), deadline_exceeded.
   */
  async ensure(text: string): Promise<ImageSummary> {
    return this.#summary(await this.#ensure(this.#parse(text)));
  }

  /** An image for an instance: as the reference was resolved last; only one that is not known is resolved and brought. */
  async acquire(text: string): Promise<ImageLease> {
    const reference = this.#parse(text);
    const digest = reference.digest ?? this.#parts.index.get(formatImageReference(reference))?.digest;
    let entry = digest === undefined ? undefined : this.#entries.get(digest);
    // An image that was removed between its arrival and here is brought again.
    while (entry === undefined || this.#entries.get(entry.record.digest) !== entry) {
      entry = await this.#ensure(reference);
    }
    return this.#lease(entry);
  }

  /** The image that an instance of an earlier process uses. Undefined when the cache lost it. */
  hold(digest: string): ImageLease | undefined {
    const entry = this.#entries.get(digest);
    return entry === undefined ? undefined : this.#lease(entry);
  }

  list(): ImageSummary[] {
    return [...this.#entries.values()].map((entry) => this.#summary(entry));
  }

  /** Throws not_found, or failed_precondition while an instance uses it. */
  async remove(digest: string): Promise<void> {
    const entry = this.#entries.get(digest);
    if (entry === undefined) {
      throw new JunctiondError('not_found', `there is no image ${digest}`);
    }
    const users = this.#users.get(digest) ?? 0;
    if (users > 0) {
      throw new JunctiondError('failed_precondition', `image ${digest} is used by ${users} instance(s)`);
    }
    await this.#remove(entry);
    await this.#sweepBlobs();
  }

  /** Removes every image that nothing uses and that was last used before `unusedForMs` ago, and blobs that belong to none. */
  async collectGarbage(unusedForMs: number): Promise<{ removed: string[]; freedBytes: number }> {
    const before = this.#parts.now() - unusedForMs;
    const unused = [...this.#entries.values()].filter(
      ({ record, lastUsedAtMs }) => (this.#users.get(record.digest) ?? 0) === 0 && lastUsedAtMs <= before,
    );
    await Promise.all(unused.map((entry) => this.#remove(entry)));
    const blobBytes = await this.#sweepBlobs();
    const freedBytes = unused.reduce((sum, { record }) => sum + record.sizeBytes, blobBytes);
    return { removed: unused.map(({ record }) => record.digest), freedBytes };
  }

  async #ensure(reference: ImageReference): Promise<Entry> {
    const stamp = isArchive(reference) ? await archiveStamp(reference) : undefined;
    const digest = await this.#resolve(reference, stamp);
    const known = digest === undefined ? undefined : this.#entries.get(digest);
    const entry = known ?? (await this.#bringOnce(reference, digest));
    this.#use(entry);
    await this.#parts.index.set(formatImageReference(reference), {
      digest: entry.record.digest,
      ...(stamp === undefined ? {} : { stamp }),
    });
    return entry;
  }

  /** The digest that a reference means now; undefined for an archive that has to be read to know. */
  async #resolve(reference: ImageReference, stamp: string | undefined): Promise<string | undefined> {
    const { digest } = reference;
    if (digest !== undefined && (this.#entries.has(digest) || reference.kind === 'registry')) {
      return digest;
    }
    if (reference.kind === 'registry') {
      return this.#parts.skopeo.resolveDigest(reference);
    }
    if (isArchive(reference)) {
      const known = this.#parts.index.get(formatImageReference(reference));
      return known !== undefined && known.stamp === stamp ? known.digest : undefined;
    }
    const found = (await findInLayout(reference.path, reference.tag)).digest;
    checkPinned(reference, found);
    return found;
  }

  #bringOnce(reference: ImageReference, digest: string | undefined): Promise<Entry> {
    const key = digest ?? formatImageReference(reference);
    const running = this.#flights.get(key);
    if (running !== undefined) {
      return running;
    }
    const flight = this.#bringMeasured(reference, digest).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  async #bringMeasured(reference: ImageReference, digest: string | undefined): Promise<Entry> {
    const { now, observer } = this.#parts;
    const startedAtMs = now();
    try {
      const { entry, compressedBytes } = await this.#bring(reference, digest);
      observer.imageBrought('ok', now() - startedAtMs, compressedBytes);
      return entry;
    } catch (error) {
      observer.imageBrought('failed', now() - startedAtMs, 0);
      throw error;
    }
  }

  async #bring(
    reference: ImageReference,
    digest: string | undefined,
  ): Promise<{ entry: Entry; compressedBytes: number }> {
    const { cache, umoci, now } = this.#parts;
    await this.#sweep;
    if (digest !== undefined) {
      await this.#removals.get(digest);
    }
    const scratch = await cache.newScratch();
    try {
      const source = await this.#copy(reference, digest, scratch);
      const descriptor = await findInLayout(scratch.layoutDir, LAYOUT_TAG);
      const identity = source ?? descriptor.digest;
      if (isArchive(reference)) {
        checkPinned(reference, identity);
      }
      const manifest = await readManifest(scratch.layoutDir, descriptor);
      const config = parseImageConfig(await readBlob(scratch.layoutDir, manifest.config));
      if (!config.ok) {
        throw new JunctiondError('invalid_argument', `image ${formatImageReference(reference)}: ${config.error}`);
      }
      const blobs = [descriptor, manifest.config, ...manifest.layers];
      const compressedBytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
      const published = this.#entries.get(identity);
      if (published !== undefined) {
        await cache.dropScratch(scratch);
        return { entry: published, compressedBytes };
      }
      await umoci.unpack(scratch.layoutDir, scratch.rootfsDir);
      const hasPlans = await this.#plan(scratch, identity);
      await this.#removals.get(identity);
      const record = await cache.publish(scratch, {
        digest: identity,
        reference: formatImageReference(reference),
        blobs: blobs.map((blob) => blob.digest),
        unpackedAtMs: now(),
        config: config.value,
      });
      const plansDir = hasPlans ? await cache.findPlans(identity, this.#plannerStamp ?? '') : undefined;
      const entry: Entry = this.#entries.get(identity) ?? {
        record,
        lastUsedAtMs: now(),
        ...(plansDir === undefined ? {} : { plansDir }),
      };
      this.#entries.set(identity, entry);
      this.#inBackground(`image ${identity} may be lost in a power cut`, cache.makeDurable(identity));
      return { entry, compressedBytes };
    } catch (error) {
      await cache.dropScratch(scratch);
      throw error instanceof JunctiondError
        ? error
        : new JunctiondError('internal', `image ${formatImageReference(reference)}: ${errorText(error)}`, {
            cause: error,
          });
    }
  }

  /** Copies the image that `digest` names. Answers the digest at the source, or undefined for an archive, which has none. */
  async #copy(
    reference: ImageReference,
    digest: string | undefined,
    scratch: ImageScratch,
  ): Promise<string | undefined> {
    const { skopeo } = this.#parts;
    if (reference.kind === 'registry') {
      await skopeo.copy(digest === undefined ? reference : { ...reference, digest }, scratch.layoutDir);
      return digest;
    }
    await skopeo.copy(reference, scratch.layoutDir);
    if (isArchive(reference)) {
      return undefined;
    }
    // skopeo takes the folder as it is when it looks: make sure that was the image which was resolved.
    for (let attempt = 0, expected = digest; attempt < MAX_SOURCE_CHANGES; attempt += 1) {
      const found = (await findInLayout(reference.path, reference.tag)).digest;
      if (found === expected) {
        return found;
      }
      checkPinned(reference, found);
      expected = found;
      await skopeo.copy(reference, scratch.layoutDir);
    }
    throw new JunctiondError('unavailable', `the OCI layout ${reference.path} changes while it is copied`);
  }

  /** False when there are none: the image serves without. */
  async #plan(scratch: ImageScratch, digest: string): Promise<boolean> {
    const { planner, observer } = this.#parts;
    if (this.#plannerStamp === undefined) {
      return false;
    }
    try {
      await planner.plan(scratch.rootfsDir, scratch.plansDir(this.#plannerStamp));
      return true;
    } catch (cause) {
      observer.imageTrouble(`image ${digest} has no patch plans`, cause);
      await rm(scratch.plansDir(this.#plannerStamp), { recursive: true, force: true });
      return false;
    }
  }

  /** Finds the plans of an image of an earlier process, or makes them: junction_plan may be a newer one. */
  async #refreshPlans(entry: Entry): Promise<void> {
    const { cache, planner } = this.#parts;
    const { digest } = entry.record;
    const stamp = this.#plannerStamp;
    if (stamp !== undefined) {
      entry.plansDir =
        (await cache.findPlans(digest, stamp)) ??
        (await cache.addPlans(digest, stamp, (outDir) => planner.plan(cache.rootfsDir(digest), outDir)));
    }
  }

  async #remove(entry: Entry): Promise<void> {
    const { digest } = entry.record;
    // Out of the table before the first wait, so that no instance can take it any more.
    this.#entries.delete(digest);
    const removal = this.#parts.cache.discard(digest).finally(() => this.#removals.delete(digest));
    this.#removals.set(digest, removal);
    await removal;
    await this.#parts.index.forget(digest);
  }

  /** Frees blobs of no image. Left to the next time while an image is being brought: its blobs are in no record yet. */
  #sweepBlobs(): Promise<number> {
    const sweep = this.#sweep.then(() => {
      const kept = new Set([...this.#entries.values()].flatMap(({ record }) => record.blobs));
      return this.#flights.size > 0 ? 0 : this.#parts.cache.sweepBlobs(kept);
    });
    this.#sweep = sweep.catch(() => undefined);
    return sweep;
  }

  #lease(entry: Entry): ImageLease {
    const { digest, config } = entry.record;
    this.#users.set(digest, (this.#users.get(digest) ?? 0) + 1);
    this.#use(entry);
    let isHeld = true;
    return {
      digest,
      config,
      rootfsDir: this.#parts.cache.rootfsDir(digest),
      release: () => {
        if (isHeld) {
          isHeld = false;
          this.#users.set(digest, (this.#users.get(digest) ?? 1) - 1);
          this.#use(entry);
        }
      },
    };
  }

  #use(entry: Entry): void {
    entry.lastUsedAtMs = this.#parts.now();
    if (this.#entries.get(entry.record.digest) === entry) {
      const { digest } = entry.record;
      this.#inBackground(
        `the time of use of image ${digest} is not kept`,
        this.#parts.cache.touch(digest, entry.lastUsedAtMs),
      );
    }
  }

  #inBackground(trouble: string, work: Promise<void>): void {
    const done = work
      .catch((cause: unknown) => {
        this.#parts.observer.imageTrouble(trouble, cause);
      })
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  #parse(text: string): ImageReference {
    const reference = parseImageReference(text);
    if (!reference.ok) {
      throw new JunctiondError('invalid_argument', reference.error);
    }
    return reference.value;
  }

  #summary({ record, lastUsedAtMs }: Entry): ImageSummary {
    const { digest, reference, sizeBytes } = record;
    return { digest, reference, sizeBytes, lastUsedAtMs, users: this.#users.get(digest) ?? 0 };
  }
}

function isArchive(reference: ImageReference): reference is ArchiveReference {
  return reference.kind === 'oci-archive' || reference.kind === 'docker-archive';
}

function checkPinned(reference: ImageReference, found: string): void {
  if (reference.digest !== undefined && reference.digest !== found) {
    throw new JunctiondError(
      'not_found',
      `image ${formatImageReference(reference)}: what is there has the digest ${found}`,
    );
  }
}

async function archiveStamp(reference: ArchiveReference): Promise<string> {
  try {
    const info = await stat(reference.path, { bigint: true });
    if (!info.isFile()) {
      throw new JunctiondError('invalid_argument', `${reference.path} is not a file`);
    }
    return `${info.size}-${info.mtimeNs}-${info.ino}`;
  } catch (cause) {
    if (cause instanceof JunctiondError) {
      throw cause;
    }
    throw new JunctiondError('not_found', `there is no archive ${reference.path}: ${errorText(cause)}`, { cause });
  }
}
