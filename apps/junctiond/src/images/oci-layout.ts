// SPDX-License-Identifier: Apache-2.0
// Reads OCI image layouts (OCI image specification, "Image Layout"). Layouts come from users: sizes are bounded, digests checked.
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { errorCode, errorText, JunctiondError } from '../junctiond.error.js';
import { isRecord } from './image-config.js';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  /** The annotation org.opencontainers.image.ref.name. */
  readonly refName?: string;
}

/** The parts of an image manifest that matter here. */
export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Indexes, manifests and configurations are small; registries refuse manifests above 4 MiB. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const REF_NAME = 'org.opencontainers.image.ref.name';
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * The descriptor that `tag` means in the layout at `folder`: the one of that name; without a tag the only one there is, or else
 * `latest`. Throws not_found where there is none, invalid_argument where the folder is no layout.
 */
export async function findInLayout(folder: string, tag: string | undefined): Promise<Descriptor> {
  const descriptors = await readIndex(folder);
  const named = descriptors.filter((descriptor) => descriptor.refName === (tag ?? 'latest'));
  const found = tag === undefined && descriptors.length === 1 ? descriptors[0] : named[0];
  if (found === undefined) {
    const names = descriptors.map((descriptor) => descriptor.refName ?? '(no name)').slice(0, 20);
    throw new JunctiondError(
      'not_found',
      `the OCI layout ${folder} has no image ${tag ?? 'latest'}; it has ${names.length === 0 ? 'none' : names.join(', ')}`,
    );
  }
  return found;
}

/** Reads a manifest from a layout, its digest checked. */
export async function readManifest(folder: string, descriptor: Descriptor): Promise<ImageManifest> {
  const document = await readBlob(folder, descriptor);
  const layers = isRecord(document) ? document['layers'] : undefined;
  const config = isRecord(document) ? parseDescriptor(document['config']) : undefined;
  if (config === undefined || !Array.isArray(layers)) {
    throw new JunctiondError('invalid_argument', `${descriptor.digest} is not an image manifest`);
  }
  const parsed = layers.map(parseDescriptor);
  if (!parsed.every((layer) => layer !== undefined)) {
    throw new JunctiondError(
      'invalid_argument',
      `the manifest ${descriptor.digest} has a layer that is not a descriptor`,
    );
  }
  return { config, layers: parsed };
}

/** Reads a JSON blob of a layout, its size bounded and its digest checked. */
export async function readBlob(folder: string, descriptor: Descriptor): Promise<unknown> {
  const bytes = await readBounded(join(folder, 'blobs', 'sha256', descriptor.digest.slice('sha256:'.length)));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (digest !== descriptor.digest) {
    throw new JunctiondError('invalid_argument', `blob ${descriptor.digest} has the content of ${digest}`);
  }
  return parseJson(bytes, descriptor.digest);
}

async function readIndex(folder: string): Promise<Descriptor[]> {
  const file = join(folder, 'index.json');
  let bytes: Buffer;
  try {
    bytes = await readBounded(file);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') {
      throw new JunctiondError('not_found', `there is no OCI layout at ${folder} (no index.json)`, { cause });
    }
    throw cause instanceof JunctiondError
      ? cause
      : new JunctiondError('invalid_argument', `${file} cannot be read: ${errorText(cause)}`, { cause });
  }
  const document = parseJson(bytes, file);
  const manifests = isRecord(document) ? document['manifests'] : undefined;
  if (!Array.isArray(manifests)) {
    throw new JunctiondError('invalid_argument', `${file} is not the index of an OCI layout`);
  }
  return manifests.map(parseDescriptor).filter((descriptor) => descriptor !== undefined);
}

async function readBounded(file: string): Promise<Buffer> {
  // Not blocking, so that a pipe under that name cannot hold a thread of the pool.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = await handle.stat();
    if (!info.isFile() || info.size > MAX_DOCUMENT_BYTES) {
      throw new JunctiondError('invalid_argument', `${file} is not a file of at most ${MAX_DOCUMENT_BYTES} bytes`);
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new JunctiondError('invalid_argument', `${name} is not JSON`, { cause });
  }
}

function parseDescriptor(value: unknown): Descriptor | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { digest, size, mediaType, annotations } = value;
  if (typeof digest !== 'string' || !DIGEST.test(digest) || typeof size !== 'number') {
    return undefined;
  }
  const refName = isRecord(annotations) ? annotations[REF_NAME] : undefined;
  return {
    digest,
    size,
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    ...(typeof refName === 'string' ? { refName } : {}),
  };
}
