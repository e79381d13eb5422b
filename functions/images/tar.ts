// SPDX-License-Identifier: Apache-2.0
// Tar archives in the ustar format of POSIX.1-2008 (pax utility, "ustar Interchange Format"). An own
// writer, since owners and modes come from the recipe and not from the disk, and must be the same
// whoever builds, with whichever tar.
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const BLOCK_BYTES = 512;

/** A member of an archive. Its time is always 0. */
export interface TarEntry {
  /** Without a leading or trailing slash. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: { readonly kind: 'folder' } | { readonly kind: 'link'; readonly target: string } | FileContent;
}

/** The bytes of a regular file. */
export interface FileContent {
  readonly kind: 'file';
  readonly bytes: Buffer;
}

/** Everything below a folder of the host as root-owned entries; symbolic links are not followed. */
export function readTree(root: string, below = ''): TarEntry[] {
  return readdirSync(join(root, below)).flatMap((name) => {
    const path = join(below, name);
    const stat = lstatSync(join(root, path));
    const owned = { path, mode: stat.mode & 0o7777, uid: 0, gid: 0 };
    if (stat.isDirectory()) return [{ ...owned, content: { kind: 'folder' } } as const, ...readTree(root, path)];
    if (stat.isFile()) return { ...owned, content: { kind: 'file', bytes: readFileSync(join(root, path)) } } as const;
    if (!stat.isSymbolicLink()) throw new Error(`${path} is neither a file nor a folder nor a symbolic link`);
    return { ...owned, mode: 0o777, content: { kind: 'link', target: readlinkSync(join(root, path)) } } as const;
  });
}

/** The archive with its entries sorted by path, so that a folder comes before what is in it. */
export function writeTar(entries: readonly TarEntry[]): Buffer {
  const sorted = entries.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const parts: Buffer[] = [];
  for (const entry of sorted) {
    parts.push(header(entry));
    if (entry.content.kind !== 'file') continue;
    const { bytes } = entry.content;
    parts.push(bytes, Buffer.alloc((BLOCK_BYTES - (bytes.length % BLOCK_BYTES)) % BLOCK_BYTES));
  }
  parts.push(Buffer.alloc(2 * BLOCK_BYTES));
  return Buffer.concat(parts);
}

/*
 *   0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8
 * 156 type 1   | 157 link name 100      | 257 "ustar\0" "00"      | 345 prefix 155
 */
function header(entry: TarEntry): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const { prefix, name } = splitPath(entry.content.kind === 'folder' ? `${entry.path}/` : entry.path);
  const target = entry.content.kind === 'link' ? entry.content.target : '';
  if (Buffer.byteLength(target) > 100) throw new Error(`${entry.path}: the link target is longer than 100 bytes`);
  block.write(name, 0);
  writeOctal(block, 100, 8, entry.mode);
  writeOctal(block, 108, 8, entry.uid);
  writeOctal(block, 116, 8, entry.gid);
  writeOctal(block, 124, 12, entry.content.kind === 'file' ? entry.content.bytes.length : 0);
  writeOctal(block, 136, 12, 0);
  block.write({ file: '0', link: '2', folder: '5' }[entry.content.kind], 156);
  block.write(target, 157);
  block.write('ustar\0' + '00', 257, 'latin1');
  block.write(prefix, 345);
  // The checksum is the sum of all bytes with the checksum itself taken as spaces.
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function writeOctal(block: Buffer, at: number, size: number, value: number): void {
  const digits = value.toString(8).padStart(size - 1, '0');
  if (digits.length > size - 1) throw new Error(`${value} does not fit into a tar header`);
  block.write(digits, at, 'latin1');
}

function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path };
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const name = path.slice(slash + 1);
    if (name !== '' && Buffer.byteLength(name) <= 100 && slash <= 155) return { prefix: path.slice(0, slash), name };
  }
  throw new Error(`${path} is too long for a tar header`);
}
