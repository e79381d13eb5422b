// SPDX-License-Identifier: Apache-2.0
// An image as a folder: OCI Image Format Specification 1.0, "Image Layout", "Image Manifest" and
// "Image Configuration".
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** The `config` part of an image configuration. */
export interface ImageConfig {
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly User: string;
  readonly WorkingDir: string;
  readonly ExposedPorts: Readonly<Record<string, Record<string, never>>>;
}

/** One layer, as it is stored. */
export interface Layer {
  /** Compressed. */
  readonly bytes: Buffer;
  /** Of the uncompressed archive: `sha256:…`. */
  readonly diffId: string;
  readonly createdBy: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const CREATED = '1970-01-01T00:00:00Z';

/** A layer from an uncompressed archive. zlib writes neither a name nor a time into the gzip header. */
export function makeLayer(archive: Buffer, createdBy: string): Layer {
  return { bytes: gzipSync(archive, { level: 6 }), diffId: digestOf(archive), createdBy };
}

/** Writes the layout in place of what stood at `folder`, and returns the digest of the manifest. */
export function writeLayout(folder: string, tag: string, layers: readonly Layer[], config: ImageConfig): string {
  const draft = `${folder}.${process.pid}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(join(draft, 'blobs', 'sha256'), { recursive: true });
  const writeBlob = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = digestOf(bytes);
    writeFileSync(join(draft, 'blobs', 'sha256', digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const writeJson = (mediaType: string, value: unknown): Descriptor =>
    writeBlob(mediaType, Buffer.from(JSON.stringify(value)));

  const configDescriptor = writeJson('application/vnd.oci.image.config.v1+json', {
    created: CREATED,
    architecture: 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((layer) => ({ created: CREATED, created_by: layer.createdBy })),
  });
  const manifest = writeJson('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: configDescriptor,
    layers: layers.map((layer) => writeBlob('application/vnd.oci.image.layer.v1.tar+gzip', layer.bytes)),
  });
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...manifest,
        platform: { architecture: 'amd64', os: 'linux' },
        annotations: { 'org.opencontainers.image.ref.name': tag },
      },
    ],
  };
  writeFileSync(join(draft, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(draft, 'index.json'), JSON.stringify(index));
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
  return manifest.digest;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
