// SPDX-License-Identifier: Apache-2.0
// Makes OCI layouts for tests, hostile ones included: no tool that would refuse to write a bad layer is involved.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface TarEntry {
  readonly name: string;
  /** Absent: an empty file, or nothing where `type` says so. */
  readonly content?: string | Buffer;
  /** tar(5): `0` file, `1` hard link, `2` symbolic link, `5` folder. */
  readonly type?: '0' | '1' | '2' | '5';
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A ustar archive (POSIX.1-1988); names as they are given, `../` and absolute ones too. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]);
}

function tarEntry(entry: TarEntry): Buffer {
  const content = Buffer.isBuffer(entry.content) ? entry.content : Buffer.from(entry.content ?? '');
  const header = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number): void => {
    header.write(value.toString(8).padStart(length - 1, '0'), offset, 'ascii');
  };
  header.write(entry.name, 0, 100, 'utf8');
  octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(content.length, 124, 12);
  octal(0, 136, 12);
  header.write('        ', 148, 'ascii');
  header.write(entry.type ?? '0', 156, 'ascii');
  header.write(entry.link ?? '', 157, 100, 'utf8');
  header.write('ustar\x0000', 257, 'ascii');
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

export interface LayoutImage {
  readonly tag?: string;
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config?: Record<string, unknown>;
}

/** Adds an image to the layout at `folder`, replacing one with the same tag; answers its manifest's digest. */
export async function addToLayout(folder: string, image: LayoutImage): Promise<string> {
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const layers = image.layers.map(tarOf);
  const config = await addJson(folder, 'application/vnd.oci.image.config.v1+json', {
    architecture: 'amd64',
    os: 'linux',
    config: image.config ?? {},
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) },
  });
  const manifest = await addJson(folder, 'application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: await Promise.all(
      layers.map((layer) => addBlob(folder, 'application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(layer))),
    ),
  });
  const index = join(folder, 'index.json');
  const { manifests } = JSON.parse(await readFile(index, 'utf8').catch(() => '{"manifests":[]}')) as {
    manifests: { annotations?: Record<string, string> }[];
  };
  const refName = 'org.opencontainers.image.ref.name';
  const others = manifests.filter((other) => other.annotations?.[refName] !== image.tag);
  const own = image.tag === undefined ? manifest : { ...manifest, annotations: { [refName]: image.tag } };
  await writeFile(index, JSON.stringify({ schemaVersion: 2, manifests: [...others, own] }));
  return manifest.digest;
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function addJson(folder: string, mediaType: string, document: unknown): Promise<{ digest: string }> {
  return addBlob(folder, mediaType, Buffer.from(JSON.stringify(document)));
}

async function addBlob(folder: string, mediaType: string, bytes: Buffer): Promise<{ digest: string }> {
  const digest = digestOf(bytes);
  await writeFile(join(folder, 'blobs/sha256', digest.slice('sha256:'.length)), bytes);
  return { mediaType, digest, size: bytes.length } as { digest: string };
}
