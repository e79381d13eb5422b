// SPDX-License-Identifier: Apache-2.0
// What is kept beside an unpacked image, as image.json. Written by this app only; a record of another version counts as none.
import { isRecord, type ImageConfig } from './image-config.js';

export interface ImageRecord {
  /** What callers know the image by: the digest of the manifest or index at its source. */
  readonly digest: string;
  /** The reference that brought it, canonical. */
  readonly reference: string;
  /** Blobs of the cache that it is made of: manifest, configuration, layers. */
  readonly blobs: readonly string[];
  /** Of the unpacked files, on disk. */
  readonly sizeBytes: number;
  readonly unpackedAtMs: number;
  /** Linux's boot id then: after a power cut, only images with a mark of durability are trusted. */
  readonly bootId: string;
  readonly config: ImageConfig;
}

const VERSION = 1;

export function formatImageRecord(record: ImageRecord): string {
  return JSON.stringify({ version: VERSION, ...record });
}

/** Undefined when the text is not a record of this version. */
export function parseImageRecord(text: string): ImageRecord | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(document) || document['version'] !== VERSION || !isRecord(document['config'])) {
    return undefined;
  }
  const { version: _version, ...record } = document;
  return record as unknown as ImageRecord;
}
